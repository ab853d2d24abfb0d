# trichat with its embedded services. The first stage installs what the lock file names; the second has that and the code,
# and neither pip's caches nor a build tool.
FROM python:3.11-slim-bookworm AS packages
COPY requirements.lock ./
RUN python -m venv /opt/trichat \
 && /opt/trichat/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /data trichat
COPY --from=packages /opt/trichat /opt/trichat
COPY schema.sql /app/
COPY trichat /app/trichat
ENV PATH=/opt/trichat/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 \
    TRICHAT_HOST=0.0.0.0 TRICHAT_DATA_DIR=/data/trichat
USER trichat
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
# a drain begins with SIGTERM
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "trichat", "serve"]
