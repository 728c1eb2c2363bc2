/**
 * Who is signed in on this device.
 *
 * The access token stays in memory. The refresh token is in a cookie that no script can read and that the browser sends
 * to RefreshSession alone; the tabs of this browser share it, and exchange it under a lock, one at a time. What stands in
 * localStorage is the id of the session: it opens nothing, it only says that there is a session to continue.
 */

import { timestampMs } from '@bufbuild/protobuf/wkt'
import { createClient, type Transport } from '@connectrpc/connect'
import { user } from '../account/user'
import type { SessionCredentials } from '../gen/spotilike/user/v1/session_pb'
import { SessionService } from '../gen/spotilike/user/v1/session_service_pb'
import { idOf } from '../shell/navigation'
import { learnServerTime, serverNow } from './clock'
import { failureOf } from './failure'

const STORAGE_KEY = 'spotilike.session'
const LOCK = 'spotilike.session'
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
    await underLock(async () => this.#take(await this.#client.createSession({ email, password, useCookie: true })))
  }

  /** Forgets the session on this device; the server has ended it and taken the cookie away. */
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
    this.#refreshing ??= underLock(() => this.#exchange()).finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  async #exchange(): Promise<string | null> {
    if (!localStorage.getItem(STORAGE_KEY)) {
      this.forget()
      return null
    }
    try {
      const credentials = await this.#client.refreshSession({})
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
    localStorage.setItem(STORAGE_KEY, idOf(this.name))
    user.set(credentials.user ?? null)
    clearTimeout(this.#timer)
    const wait = Math.max(expiresMs - serverNow() - EARLY_MS, 5_000)
    this.#timer = setTimeout(() => void this.#refresh().catch(() => undefined), wait)
  }

  async #followOtherTab(id: string | null): Promise<void> {
    if (id === null) this.forget()
    else if (id !== idOf(this.name)) {
      this.#access = null
      await this.restore()
    }
  }
}

/** Runs what changes the cookie, one tab at a time. */
function underLock<T>(work: () => Promise<T>): Promise<T> {
  // Web Locks exist in secure contexts only; without them the server's grace for repeated tokens holds.
  return navigator.locks ? navigator.locks.request(LOCK, work) : work()
}
