"""Accounts on the wire."""

from datetime import datetime
from uuid import UUID

from google.protobuf.empty_pb2 import Empty

from services.common import auth, errors, images, masks, names
from services.common.errors import Violation
from services.common.interceptors import Context
from services.common.pages import PageRequest
from services.user import cookies, domain, events, passwords
from services.user.catalog import Catalog
from services.user.domain import ROLE_USER, EventType, Link, MailKind, User
from services.user.erasure import erase
from services.user.gate import Admission, Gate
from services.user.handlers.callers import language, place
from services.user.passwords import Passwords
from services.user.store import Store, Transaction
from spotilike.user.v1 import user_pb2, user_service_pb2_grpc
from spotilike.user.v1.user_service_pb2 import (
    ChangePasswordRequest,
    CreateUserRequest,
    DeleteUserRequest,
    DisableUserRequest,
    EnableUserRequest,
    EraseUserRequest,
    GetUserRequest,
    GrantRoleRequest,
    ListUsersRequest,
    ListUsersResponse,
    LookupUserRequest,
    RequestEmailVerificationRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
    RevokeRoleRequest,
    UpdateUserRequest,
    VerifyEmailRequest,
)

FREE_SIGN_UPS = 20
"""How often one network may try to sign up for accounts that exist, without a pause."""


class UserService(user_service_pb2_grpc.UserServiceServicer):
    """Makes, shows, changes and erases accounts."""

    def __init__(self, store: Store, passwords: Passwords, gate: Gate, catalog: Catalog, *, is_strict: bool) -> None:
        """Keep accounts in `store`; in the strict mode sign-up does not tell which addresses have one."""
        self._store = store
        self._passwords = passwords
        self._gate = gate
        self._catalog = catalog
        self._is_strict = is_strict

    async def CreateUser(self, request: CreateUserRequest, context: Context) -> user_pb2.User:
        """Make an account."""
        email, username = request.user.email, request.user.username
        passwords.check_new(request.password, "password", email, username)
        password_hash = await self._passwords.hash(request.password)
        add = _add_strictly if self._is_strict else _add_openly
        async with self._store.begin() as tx:
            user_id, mail = await add(tx, email, username, password_hash)
            if user_id:
                await tx.trail.add(user_id, EventType.SIGNED_UP, place())
                await tx.mails.add(mail, email, language(context), user_id)
            now = await tx.now()
        if user_id is None:
            # Refused only after the commit: the attempt has to be counted.
            raise domain.email_taken()
        return _signed_up(user_id, request.user, now)

    async def GetUser(self, request: GetUserRequest, context: Context) -> user_pb2.User:
        """Show an account."""
        caller = auth.call()
        user_id = caller.user_in(request.name)
        async with self._store.read() as tx:
            user = _found(await tx.users.find(user_id), request.name)
        if caller.is_admin:
            return for_admin(user)
        return private(user) if user_id == caller.user_id else public(user)

    async def UpdateUser(self, request: UpdateUserRequest, context: Context) -> user_pb2.User:
        """Change the username."""
        caller = auth.call()
        user_id = _updated(request.user.name)
        caller.authorize_self(user_id)
        changed = masks.changed(request.user, request.update_mask)
        async with self._store.begin() as tx:
            before = _found(await tx.users.lock(user_id), request.user.name)
            _check_update(before, request.user, changed)
            username = domain.composed(request.user.username)
            if "username" in changed and username != before.username:
                await tx.users.change(user_id, username=username)
                await tx.trail.add(user_id, EventType.USERNAME_CHANGED, place())
            return private(_found(await tx.users.find(user_id), request.user.name))

    async def EraseUser(self, request: EraseUserRequest, context: Context) -> Empty:
        """Erase the caller's account."""
        caller = auth.call()
        user_id = caller.user_in(request.name)
        caller.authorize_self(user_id)
        admission = await self._gate.confirm(user_id, request.password, place())
        if artists := await self._catalog.sole_artists(user_id):
            raise domain.last_manager(names.artist(artists[0]))
        async with self._store.begin() as tx:
            await _erase(tx, await _confirmed(tx, admission))
        await context.send_initial_metadata((cookies.drop(),))
        return Empty()

    async def DeleteUser(self, request: DeleteUserRequest, context: Context) -> Empty:
        """Erase an account as an administrator."""
        user_id = auth.call().user_in(request.name)
        async with self._store.begin() as tx:
            await _erase(tx, _found(await tx.users.lock(user_id), request.name))
        return Empty()

    async def LookupUser(self, request: LookupUserRequest, context: Context) -> user_pb2.User:
        """Find an account by its username."""
        async with self._store.read() as tx:
            return public(_found(await tx.users.find_by_username(request.username), request.username))

    async def ListUsers(self, request: ListUsersRequest, context: Context) -> ListUsersResponse:
        """List accounts."""
        async with self._store.read() as tx:
            page = await tx.users.page(request.query, PageRequest(request))
        return ListUsersResponse(users=map(for_admin, page.rows), next_page_token=page.next_token)

    async def GrantRole(self, request: GrantRoleRequest, context: Context) -> user_pb2.User:
        """Give a role."""
        user_id = auth.call().user_in(request.name)
        async with self._store.begin() as tx:
            _found(await tx.users.lock(user_id), request.name)
            if await tx.users.grant(user_id, request.role):
                await tx.trail.add(user_id, EventType.ROLE_GRANTED, None)
            return for_admin(_found(await tx.users.find(user_id), request.name))

    async def RevokeRole(self, request: RevokeRoleRequest, context: Context) -> user_pb2.User:
        """Take a role, and with it the access tokens that name it."""
        user_id = auth.call().user_in(request.name)
        async with self._store.begin() as tx:
            _found(await tx.users.lock(user_id), request.name)
            await _keep_an_admin(tx, user_id)
            if await tx.users.revoke(user_id, request.role):
                await _sign_out(tx, user_id)
                await tx.trail.add(user_id, EventType.ROLE_REVOKED, None)
            return for_admin(_found(await tx.users.find(user_id), request.name))

    async def DisableUser(self, request: DisableUserRequest, context: Context) -> user_pb2.User:
        """Sign an account out and keep it out."""
        user_id = auth.call().user_in(request.name)
        async with self._store.begin() as tx:
            user = _found(await tx.users.lock(user_id), request.name)
            if not user.is_disabled:
                await _keep_an_admin(tx, user_id)
                await tx.users.change(user_id, disabled_at=await tx.now(), disabled_reason=request.reason)
                await _remove_links(tx, user_id)
                await _sign_out(tx, user_id)
                await tx.trail.add(user_id, EventType.DISABLED, None)
            return for_admin(_found(await tx.users.find(user_id), request.name))

    async def EnableUser(self, request: EnableUserRequest, context: Context) -> user_pb2.User:
        """Let an account in again."""
        user_id = auth.call().user_in(request.name)
        async with self._store.begin() as tx:
            user = _found(await tx.users.lock(user_id), request.name)
            if user.is_disabled:
                await tx.users.change(user_id, disabled_at=None, disabled_reason=None)
                await tx.trail.add(user_id, EventType.ENABLED, None)
            return for_admin(_found(await tx.users.find(user_id), request.name))

    async def ChangePassword(self, request: ChangePasswordRequest, context: Context) -> user_pb2.User:
        """Change the password."""
        caller = auth.call()
        user_id = caller.user_in(request.name)
        caller.authorize_self(user_id)
        async with self._store.read() as tx:
            user = _found(await tx.users.find(user_id), request.name)
        passwords.check_new(request.new_password, "new_password", user.email, user.username)
        admission = await self._gate.confirm(user_id, request.password, place())
        password_hash = await self._passwords.hash(request.new_password)
        async with self._store.begin() as tx:
            user = await _confirmed(tx, admission)
            await _set_password(tx, user, password_hash, EventType.PASSWORD_CHANGED, language(context))
            shown = private(_found(await tx.users.find(user_id), request.name))
        await context.send_initial_metadata((cookies.drop(),))
        return shown

    async def RequestEmailVerification(self, request: RequestEmailVerificationRequest, context: Context) -> Empty:
        """Send a link that confirms an address."""
        user_id = auth.call().user_id
        async with self._store.read() as tx:
            user = _found(await tx.users.find(user_id), names.user(user_id))
        email = request.email or user.email
        is_new = domain.folded(email) != domain.folded(user.email)
        admission = await self._gate.confirm(user_id, request.password, place()) if is_new else None
        async with self._store.begin() as tx:
            if admission:
                await _confirmed(tx, admission)
            else:
                user = _found(await tx.users.lock(user_id), names.user(user_id))
            if is_new or not user.is_verified:
                await tx.mails.add(MailKind.VERIFY_EMAIL, email, language(context), user_id)
        return Empty()

    async def VerifyEmail(self, request: VerifyEmailRequest, context: Context) -> Empty:
        """Confirm the address that a link was sent to."""
        async with self._store.begin() as tx:
            user, link = await _use_link(tx, request.token, MailKind.VERIFY_EMAIL)
            if domain.folded(link.address) == domain.folded(user.email):
                await tx.users.confirm(user.id)
                await tx.trail.add(user.id, EventType.EMAIL_VERIFIED, place())
            else:
                await tx.users.confirm(user.id, email=link.address)
                # Links to the old address would still open the account to whoever reads it.
                await _remove_links(tx, user.id)
                await tx.mails.forget(user.email)
                await tx.mails.add(MailKind.EMAIL_CHANGED, user.email, language(context), user.id)
                await tx.trail.add(user.id, EventType.EMAIL_CHANGED, place())
        return Empty()

    async def RequestPasswordReset(self, request: RequestPasswordResetRequest, context: Context) -> Empty:
        """Send a link that sets a new password, if somebody has the address; that is looked up later."""
        async with self._store.begin() as tx:
            await tx.mails.add(MailKind.RESET_PASSWORD, request.email, language(context))
        return Empty()

    async def ResetPassword(self, request: ResetPasswordRequest, context: Context) -> Empty:
        """Set a new password."""
        async with self._store.read() as tx:
            known = await tx.links.find(request.token, MailKind.RESET_PASSWORD)
            user = await tx.users.find(known.user_id) if known else None
        if user is None:
            raise domain.link_invalid()
        passwords.check_new(request.new_password, "new_password", user.email, user.username)
        password_hash = await self._passwords.hash(request.new_password)
        async with self._store.begin() as tx:
            user, link = await _use_link(tx, request.token, MailKind.RESET_PASSWORD)
            await _set_password(tx, user, password_hash, EventType.PASSWORD_RESET, language(context))
            if domain.folded(link.address) == domain.folded(user.email):
                await tx.users.confirm(user.id)
        return Empty()


async def _add_openly(tx: Transaction, email: str, username: str, password_hash: str) -> tuple[UUID | None, MailKind]:
    """Make an account; None when the address has one."""
    await _refuse_searching(tx)
    user_id = await tx.users.add(email, username, password_hash)
    if user_id is None:
        await _count_search(tx)
    return user_id, MailKind.VERIFY_EMAIL


async def _add_strictly(tx: Transaction, email: str, username: str, password_hash: str) -> tuple[UUID | None, MailKind]:
    """Make an account in any case, so that neither this call nor any later one tells who has the address.

    Where somebody has it, the account is one that nobody will ever enter; it goes when nobody has confirmed it.
    """
    is_free = await tx.users.is_free(email)
    address, mail = (email, MailKind.VERIFY_EMAIL) if is_free else (domain.placeholder(), MailKind.ACCOUNT_EXISTS)
    return await tx.users.add(address, username, password_hash, is_waiting=True), mail


async def _refuse_searching(tx: Transaction) -> None:
    """Refuse somebody who has found too many accounts; sign-ups from one network take their turn."""
    attempts, now = await tx.attempts.lock(domain.sign_up_subject(place().network))
    if pause := attempts.pause(now):
        raise domain.attempts_throttled(pause)


async def _count_search(tx: Transaction) -> None:
    subject = domain.sign_up_subject(place().network)
    attempts, now = await tx.attempts.lock(subject)
    await tx.attempts.keep(subject, attempts.next(now, FREE_SIGN_UPS))


def _found(user: User | None, name: str) -> User:
    if user is None:
        raise domain.user_not_found(name)
    return user


async def _use_link(tx: Transaction, token: str, purpose: MailKind) -> tuple[User, Link]:
    """Take a link and lock its account; the account first, as everywhere."""
    known = await tx.links.find(token, purpose)
    user = await tx.users.lock(known.user_id) if known else None
    link = await tx.links.use(token, purpose)
    if user is None or link is None or user.is_disabled:
        raise domain.link_invalid()
    return user, link


async def _set_password(tx: Transaction, user: User, password_hash: str, event: EventType, speaks: str) -> None:
    """Set a password: whoever knew the old one, or holds a token or a link, is out."""
    here = place()
    await tx.users.set_password(user.id, password_hash)
    await _remove_links(tx, user.id)
    await tx.attempts.forget(*(domain.account_subject(user.email, own) for own in (None, here.network)))
    await _sign_out(tx, user.id)
    await tx.trail.add(user.id, event, here)
    await tx.mails.add(MailKind.PASSWORD_CHANGED, user.email, speaks)


async def _confirmed(tx: Transaction, admission: Admission) -> User:
    """Lock the account of somebody who gave the right password, if it is still the right one."""
    user = await admission.lock(tx)
    if user is None:
        raise domain.password_wrong()
    return user


async def _erase(tx: Transaction, user: User) -> None:
    await _keep_an_admin(tx, user.id)
    await erase(tx, user)


async def _sign_out(tx: Transaction, user_id: UUID) -> None:
    await events.sessions_ended(tx, user_id, await tx.sessions.end_all(user_id))


async def _remove_links(tx: Transaction, user_id: UUID) -> None:
    """Take away what mails could still do to an account: links that were sent, and those that would be."""
    await tx.links.remove_of(user_id)
    await tx.mails.withdraw_links(user_id)


async def _keep_an_admin(tx: Transaction, user_id: UUID) -> None:
    if await tx.users.is_last_admin(user_id):
        raise domain.last_admin()


def _updated(name: str) -> UUID:
    """Read which account is updated; an Update names it inside the resource."""
    return auth.call().user_id if name == "users/me" else names.parse_field(name, "users", "user.name")


def _check_update(before: User, wanted: user_pb2.User, changed: frozenset[str]) -> None:
    found = []
    if "email" in changed and wanted.email != before.email:
        found.append(Violation("user.email", "is changed by RequestEmailVerification and the link that it sends"))
    if "username" in changed and not wanted.username:
        found.append(Violation("user.username", "is needed"))
    if found:
        raise errors.InvalidFields(*found)


def _signed_up(user_id: UUID, wanted: user_pb2.User, now: datetime) -> user_pb2.User:
    shown = user_pb2.User(
        name=names.user(user_id),
        email=domain.composed(wanted.email),
        username=domain.composed(wanted.username),
        roles=[ROLE_USER],
    )
    shown.create_time.FromDatetime(now)
    shown.update_time.FromDatetime(now)
    return shown


def public(user: User) -> user_pb2.User:
    """Show what everybody may see."""
    shown = user_pb2.User(name=names.user(user.id), username=user.username, avatar_uri=images.uri(user.avatar_url))
    shown.create_time.FromDatetime(user.created_at)
    return shown


def private(user: User) -> user_pb2.User:
    """Show what only the user and administrators may see."""
    shown = public(user)
    shown.email = user.email
    shown.is_verified = user.is_verified
    shown.roles.extend(user.roles)
    shown.update_time.FromDatetime(user.updated_at)
    return shown


def for_admin(user: User) -> user_pb2.User:
    """Show what only administrators may see."""
    shown = private(user)
    shown.is_disabled = user.is_disabled
    shown.disabled_reason = user.disabled_reason or ""
    return shown
