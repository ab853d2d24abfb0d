# trichat with its embedded services. Built in two stages: nothing of pip's caches or the build is in the image.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/trichat \
 && /opt/trichat/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE schema.sql ./
COPY trichat ./trichat
# hatchling is a tool of the build alone: it goes into a virtual environment of its own
COPY requirements-dev.lock ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-dev.lock \
 && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/trichat/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /data trichat
COPY --from=build /opt/trichat /opt/trichat
ENV PATH=/opt/trichat/bin:$PATH PYTHONUNBUFFERED=1 TRICHAT_HOST=0.0.0.0 TRICHAT_DATA_DIR=/data/trichat
USER trichat
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
# SIGTERM is what a drain begins with
STOPSIGNAL SIGTERM
ENTRYPOINT ["trichat", "serve"]
