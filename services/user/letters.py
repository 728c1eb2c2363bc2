"""The words of the mails, in English and in Russian."""

from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from services.user.domain import MailKind

LANGUAGES = ("en", "ru")

_TEXTS = {
    ("en", MailKind.VERIFY_EMAIL): (
        "Confirm your address",
        (
            "Follow this link to confirm that {address} is your address at Spotilike. It works once, for a day:\n\n"
            "{link}\n\nIf you did not ask for this, ignore this mail."
        ),
    ),
    ("ru", MailKind.VERIFY_EMAIL): (
        "Подтвердите адрес",
        (
            "Перейдите по ссылке, чтобы подтвердить, что {address} — ваш адрес в Spotilike. "
            "Она действует сутки и сработает один раз:\n\n{link}\n\nЕсли вы об этом не просили, ничего не делайте."
        ),
    ),
    ("en", MailKind.RESET_PASSWORD): (
        "Set a new password",
        (
            "Follow this link to set a new password for Spotilike. It works once, for an hour:\n\n"
            "{link}\n\nAll your devices will be signed out. If you did not ask for this, ignore this mail."
        ),
    ),
    ("ru", MailKind.RESET_PASSWORD): (
        "Новый пароль",
        (
            "Перейдите по ссылке, чтобы задать новый пароль для Spotilike. Она действует час и сработает один раз:\n\n"
            "{link}\n\nВсе ваши устройства выйдут из системы. Если вы об этом не просили, ничего не делайте."
        ),
    ),
    ("en", MailKind.ACCOUNT_EXISTS): (
        "You have an account already",
        (
            "Somebody wanted to sign up at Spotilike with {address}, which has an account. If it was you, sign in, or "
            "set a new password if you forgot the old one:\n\n{link}\n\nIf it was not you, ignore this mail."
        ),
    ),
    ("ru", MailKind.ACCOUNT_EXISTS): (
        "У вас уже есть учётная запись",
        (
            "Кто-то пытался зарегистрироваться в Spotilike с адресом {address}, у которого уже есть учётная запись. "
            "Если это были вы, войдите или задайте новый пароль, если забыли старый:\n\n{link}\n\n"
            "Если это были не вы, ничего не делайте."
        ),
    ),
    ("en", MailKind.PASSWORD_CHANGED): (
        "Your password was changed",
        (
            "The password of your account at Spotilike was changed and all your devices were signed out. If it was not "
            "you, set a new password now:\n\n{link}"
        ),
    ),
    ("ru", MailKind.PASSWORD_CHANGED): (
        "Ваш пароль изменён",
        (
            "Пароль вашей учётной записи в Spotilike изменён, все устройства вышли из системы. Если это сделали не вы, "
            "сразу задайте новый пароль:\n\n{link}"
        ),
    ),
    ("en", MailKind.EMAIL_CHANGED): (
        "Your address was changed",
        (
            "Your account at Spotilike has another address now and {address} does not sign in any more. If it was not "
            "you, write to us."
        ),
    ),
    ("ru", MailKind.EMAIL_CHANGED): (
        "Ваш адрес изменён",
        (
            "У вашей учётной записи в Spotilike теперь другой адрес, и войти с {address} больше нельзя. "
            "Если это сделали не вы, напишите нам."
        ),
    ),
}

_PAGES = {
    MailKind.VERIFY_EMAIL: "/verify-email",
    MailKind.RESET_PASSWORD: "/reset-password",
    MailKind.ACCOUNT_EXISTS: "/forgot-password",
    MailKind.PASSWORD_CHANGED: "/forgot-password",
}


def language_of(accepted: str | None) -> str:
    """Choose the language of a mail: the first one that a client accepts (the header Accept-Language), or English."""
    first = (accepted or "").partition(",")[0].strip()[:2].lower()
    return first if first in LANGUAGES else LANGUAGES[0]


class Letters:
    """Writes mails for one installation."""

    def __init__(self, public_url: str, sender: str) -> None:
        """Write as `sender`, with links into the player at `public_url`."""
        self._public_url = public_url.rstrip("/")
        self._sender = sender

    def write(self, kind: MailKind, language: str, address: str, token: str = "") -> EmailMessage:
        """Write a mail to `address`; what a link carries stands behind the #, which no server ever sees or logs."""
        fragment = f"#token={token}" if token else ""
        subject, text = _TEXTS[language, kind]
        letter = EmailMessage()
        letter["From"] = self._sender
        letter["To"] = address
        letter["Subject"] = subject
        letter["Date"] = formatdate()
        letter["Message-ID"] = make_msgid(domain="spotilike.dev")
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text.format(address=address, link=f"{self._public_url}{_PAGES.get(kind, '')}{fragment}"))
        return letter
