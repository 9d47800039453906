"""E-mail as a pager: the second outlet where there is no other, by SMTP."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import make_msgid
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.handling import Deed
from bot.errors import NotAllowed, NotFound, Unavailable
from bot.ports import Connector, Page, Pager

NAME = "email"
WORDS = {Deed.ACKNOWLEDGED: "acknowledged", Deed.RESOLVED: "resolved"}


class EmailSettings(BaseModel):
    """The SMTP server and the addresses; a target of routing.yaml is a further address. Without `host` there is no e-mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = ""
    port: int = Field(587, gt=0, le=65535)
    tls: str = Field("starttls", pattern="^(starttls|tls|none)$")
    username: str = ""
    password: SecretStr | None = None
    sender: str = "tocsin@localhost"
    to: tuple[str, ...] = ()
    timeout_seconds: float = Field(10.0, gt=0)


class EmailPager:
    """ports.Pager: a mail per page; the same key has the same Message-ID, so that a mail program shows it once."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings

    async def page(self, page: Page) -> None:
        """Send it. Raises NotFound without anybody to send it to."""
        text = "\n\n".join(part for part in (page.title, page.text, page.link) if part)
        await self._mail(page.key, page.target, f"[{page.severity.value}] {page.title}", text, answer=False)

    async def carry(self, key: str, deed: Deed, by: str) -> None:
        """Tell in the same thread that it was taken, or is over."""
        if deed in WORDS:
            text = f"This was {WORDS[deed]} by {by}." if by else f"This was {WORDS[deed]}."
            await self._mail(key, key.rpartition(":")[2], text, text, answer=True)

    async def _mail(self, key: str, target: str, subject: str, text: str, *, answer: bool) -> None:
        own = self._settings
        to = (target,) if target else own.to
        if not to:
            raise NotFound("Nobody is named to send e-mail to: set `to` under [connectors.email].")
        mail = EmailMessage()
        domain = own.sender.rpartition("@")[2] or "localhost"
        id = f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>"
        mail["Message-ID"] = make_msgid(domain=domain) if answer else id
        if answer:
            mail["In-Reply-To"] = mail["References"] = id
        mail["From"], mail["To"] = own.sender, ", ".join(to)
        mail["Subject"] = " ".join(subject.split())[:200]
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        await asyncio.to_thread(self._send, mail)

    def _send(self, mail: EmailMessage) -> None:
        own, context = self._settings, ssl.create_default_context()
        server = smtplib.SMTP_SSL if own.tls == "tls" else smtplib.SMTP
        try:
            with server(own.host, own.port, timeout=own.timeout_seconds) as smtp:
                if own.tls == "starttls":
                    smtp.starttls(context=context)
                if own.username and own.password is not None:
                    smtp.login(own.username, own.password.get_secret_value())
                smtp.send_message(mail)
        except smtplib.SMTPAuthenticationError:
            raise NotAllowed(
                f"The mail server {own.host} does not take the username and password of [connectors.email]."
            ) from None
        except smtplib.SMTPRecipientsRefused:
            raise NotFound(f"The mail server {own.host} knows none of the recipients.") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(
                f"The mail server {own.host} did not take a mail ({type(error).__name__}). It is tried again."
            ) from None


def _pager(settings: BaseModel) -> Pager | None:
    assert isinstance(settings, EmailSettings)  # noqa: S101  the connector's own model
    return EmailPager(settings) if settings.host else None


CONNECTOR = Connector(
    name=NAME,
    title="E-mail",
    settings=EmailSettings,
    help="TOCSIN_EMAIL_PASSWORD is the password of the SMTP account",
    pager=_pager,
)
