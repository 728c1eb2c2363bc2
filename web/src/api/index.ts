/** The way to the API: gRPC-Web to the origin that served the page. */

import {
  Code,
  ConnectError,
  type Interceptor,
  createClient,
  createContextKey,
  createContextValues,
} from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { SessionService } from '../gen/spotilike/user/v1/session_service_pb'
import { Session } from './session'

const TIMEOUT_MS = 15_000

const asGuestKey = createContextKey(false, { description: 'send no access token' })

/** Call options which show the answer that everybody gets. */
export const asGuest = () => ({ contextValues: createContextValues().set(asGuestKey, true) })

const plain = { baseUrl: location.origin, defaultTimeoutMs: TIMEOUT_MS }

/**
 * Says which browser this is, where the library would give its own name: the list of devices shows it. And says which
 * language the page speaks: mails are written in it.
 */
const introduce: Interceptor = (next) => (request) => {
  request.header.set('X-User-Agent', navigator.userAgent)
  request.header.set('Accept-Language', document.documentElement.lang)
  return next(request)
}

/** A request may outlive the page: the last report of a playback, and an exchange of tokens whose cookie has to arrive. */
const outlivingFetch: typeof fetch = (input, init) => fetch(input, { ...init, keepalive: true })

export const session = new Session(createGrpcWebTransport({ ...plain, interceptors: [introduce], fetch: outlivingFetch }))

/** Sends the access token, and once more with a new one when the server does not take it. */
const authorize: Interceptor = (next) => async (request) => {
  if (request.contextValues.get(asGuestKey)) return next(request)
  const token = await session.token()
  if (!token) return next(request)
  request.header.set('Authorization', `Bearer ${token}`)
  try {
    return await next(request)
  } catch (error) {
    if (ConnectError.from(error).code !== Code.Unauthenticated) throw error
    const fresh = await session.replacement(token)
    if (!fresh) throw error
    request.header.set('Authorization', `Bearer ${fresh}`)
    return next(request)
  }
}

/** Takes the token that is in memory: while a page closes there is no time to wait for another. */
const authorizeNow: Interceptor = (next) => (request) => {
  const token = session.tokenNow()
  if (token) request.header.set('Authorization', `Bearer ${token}`)
  return next(request)
}

/** Carries the calls of all services; their clients are made where they are needed, to be loaded with them. */
export const transport = createGrpcWebTransport({ ...plain, interceptors: [introduce, authorize] })

/** Carries what is said at the very end. */
export const lastWords = createGrpcWebTransport({ ...plain, interceptors: [introduce, authorizeNow], fetch: outlivingFetch })

export const sessions = createClient(SessionService, transport)
