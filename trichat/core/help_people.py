"""The answers to `help` about the commands of people."""

from __future__ import annotations

from typing import Final

from trichat.core.help_text import ID, HelpText

_DEVICE: Final = "optional: what you call this device, for the list of your sessions"

HELP_PEOPLE: Final[dict[str, HelpText]] = {
    "register": HelpText(
        "Makes an account, and makes you it; before the first join. Keep the token: auth takes it.",
        {
            "name": "the name, 1 to 64 bytes, lower case, letters and digits",
            "password": "at least 8 bytes",
            "device": _DEVICE,
            "id": ID,
        },
        '{"type":"register","name":"ann","password":"a long sentence is best"}',
    ),
    "login": HelpText(
        "Makes you your account; before the first join. Keep the token: auth takes it.",
        {
            "name": "your account's name",
            "password": "its password",
            "code": "optional: the code that your authenticator shows, if you have set one up",
            "device": _DEVICE,
            "id": ID,
        },
        '{"type":"login","name":"ann","password":"a long sentence is best"}',
    ),
    "recover": HelpText(
        "Sets a new password with a one-time code of an administrator's; all your sessions end but this one.",
        {"code": "the code, as it was given to you", "password": "the new password, at least 8 bytes", "id": ID},
        '{"type":"recover","code":"…","password":"a long sentence is best"}',
    ),
    "logout": HelpText("Ends this login: its token is worth nothing any more.", {"id": ID}, '{"type":"logout"}'),
    "password": HelpText(
        "Changes your password; all your other sessions end.",
        {"old": "the password of now", "new": "the new one, at least 8 bytes", "id": ID},
        '{"type":"password","old":"a long sentence is best","new":"another long sentence"}',
    ),
    "totp": HelpText(
        "Sets up a second factor: without fields you get a secret for your authenticator, and its code confirms it.",
        {
            "code": "optional: the code that the authenticator shows",
            "off": "optional: true for no second factor any more, with your password",
            "password": "optional: your password, with off",
            "id": ID,
        },
        '{"type":"totp"}',
    ),
    "rename": HelpText(
        "Takes another name; the old one stays reserved for you for a time.",
        {"name": "the new name, 1 to 64 bytes, lower case, letters and digits", "id": ID},
        '{"type":"rename","name":"anna"}',
    ),
    "profile": HelpText(
        "Changes what you say about yourself, and shows it; empty texts take it back.",
        {
            "display_name": "optional: the name to show, one line",
            "about": "optional: about yourself, one line",
            "avatar": "optional: the https address of a picture",
            "locale": "optional: your language, such as de-CH; for yourself alone",
            "time_zone": "optional: such as Europe/Zurich; for yourself alone",
            "id": ID,
        },
        '{"type":"profile","display_name":"Ann Smith"}',
    ),
    "whois": HelpText(
        "Shows what an account says about itself.",
        {"user": "a name, or an id that begins with u_", "id": ID},
        '{"type":"whois","user":"ann"}',
    ),
    "sessions": HelpText("Lists where you are logged in.", {"id": ID}, '{"type":"sessions"}'),
    "revoke": HelpText(
        "Ends one of your sessions, or all but this one.",
        {
            "session": "optional: the session, as sessions lists it",
            "all": "optional: true for all others instead",
            "id": ID,
        },
        '{"type":"revoke","all":true}',
    ),
    "block": HelpText(
        "Keeps somebody from writing to you in direct rooms.",
        {"user": "a name, or an id that begins with u_", "id": ID},
        '{"type":"block","user":"bob"}',
    ),
    "unblock": HelpText(
        "Lets somebody write to you in direct rooms again.",
        {"user": "a name, or an id that begins with u_", "id": ID},
        '{"type":"unblock","user":"bob"}',
    ),
    "blocks": HelpText("Lists whom you have blocked.", {"id": ID}, '{"type":"blocks"}'),
}
