/**
 * Who is signed in on this device.
 *
 * The access token stays in memory. The refresh token is kept in localStorage, shared by the tabs of this browser: a
 * tab exchanges it under a lock and reads it again inside, so that only one exchange happens at a time.
 */

import { timestampMs } from '@bufbuild/protobuf/wkt'
import { createClient, type Transport } from '@connectrpc/connect'
import { user } from '../account/user'
import type { SessionCredentials } from '../gen/spotilike/user/v1/session_pb'
import { SessionService } from '../gen/spotilike/user/v1/session_service_pb'
import { learnServerTime, serverNow } from './clock'
import { failureOf } from './failure'

const STORAGE_KEY = 'spotilike.refresh'
const LOCK = 'spotilike.refresh'
/** A token is exchanged this long before it ends, in milliseconds. */
const EARLY_MS = 60_000

interface Access {
  token: string
  expiresMs: number
}

export class Session {
  /** The resource name of this device's session; empty for a guest. */
  name = ''

  readonly #client
  #access: Access | null = null
  #refreshing: Promise<string | null> | null = null
  #timer = 0

  /** `transport` carries no access token: it is the way to get one. */
  constructor(transport: Transport) {
    this.#client = createClient(SessionService, transport)
    addEventListener('storage', (event) => {
      if (event.key === STORAGE_KEY) void this.#followOtherTab(event.newValue)
    })
  }

  /** Continues the session of the last visit, if there is one. */
  async restore(): Promise<void> {
    await this.#refresh().catch(() => user.set(null))
  }

  async signIn(email: string, password: string): Promise<void> {
    this.#take(await this.#client.createSession({ email, password }))
  }

  /** Forgets the session on this device; the caller has revoked it at the server. */
  forget(): void {
    clearTimeout(this.#timer)
    localStorage.removeItem(STORAGE_KEY)
    this.#access = null
    this.name = ''
    user.set(null)
  }

  /** Returns a live access token, or null for a guest. */
  async token(): Promise<string | null> {
    if (this.#access && this.#access.expiresMs - serverNow() > EARLY_MS / 2) return this.#access.token
    return this.#refresh()
  }

  /** Returns the access token in memory without waiting: for the last words of a page that is being closed. */
  tokenNow(): string | null {
    return this.#access?.token ?? null
  }

  /** Returns another token than `refused`, or null when there is none to be had. */
  async replacement(refused: string): Promise<string | null> {
    if (this.#access?.token === refused) this.#access = null
    return this.token()
  }

  #refresh(): Promise<string | null> {
    this.#refreshing ??= this.#exchangeUnderLock().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  #exchangeUnderLock(): Promise<string | null> {
    // Web Locks exist in secure contexts only; without them the server's grace for repeated tokens holds.
    if (!navigator.locks) return this.#exchange()
    return navigator.locks.request(LOCK, () => this.#exchange())
  }

  async #exchange(): Promise<string | null> {
    const refreshToken = localStorage.getItem(STORAGE_KEY)
    if (!refreshToken) {
      this.forget()
      return null
    }
    try {
      const credentials = await this.#client.refreshSession({ refreshToken })
      this.#take(credentials)
      return credentials.accessToken
    } catch (error) {
      if (failureOf(error).reason !== 'REFRESH_TOKEN_INVALID') throw error
      this.forget()
      return null
    }
  }

  #take(credentials: SessionCredentials): void {
    if (credentials.session?.lastUseTime) learnServerTime(timestampMs(credentials.session.lastUseTime))
    const expiresMs = credentials.accessTokenExpireTime ? timestampMs(credentials.accessTokenExpireTime) : 0
    this.#access = { token: credentials.accessToken, expiresMs }
    this.name = credentials.session?.name ?? ''
    localStorage.setItem(STORAGE_KEY, credentials.refreshToken)
    user.set(credentials.user ?? null)
    clearTimeout(this.#timer)
    const wait = Math.max(expiresMs - serverNow() - EARLY_MS, 5_000)
    this.#timer = setTimeout(() => void this.#refresh().catch(() => undefined), wait)
  }

  async #followOtherTab(refreshToken: string | null): Promise<void> {
    if (refreshToken === null) this.forget()
    else if (!this.#access) await this.restore()
  }
}
