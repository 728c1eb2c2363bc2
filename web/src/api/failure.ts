/** Why a call failed, in a form that the page can put into words. */

import { Code, ConnectError } from '@connectrpc/connect'
import { type FieldViolation, readBadRequest, readErrorInfo, readRetryInfo } from './details'

export interface Failure {
  /** A value of spotilike.errors.v1.ErrorReason, or one of NETWORK and UNKNOWN. */
  reason: string
  /** The server's English sentence, for reasons that this page does not know. */
  message: string
  metadata: Record<string, string>
  fields: FieldViolation[]
  /** In how many milliseconds it is worth trying again; 0 when the server did not say. */
  retryMs: number
  /** Finds the call in the logs; empty when the server gave none. */
  errorId: string
}

const ERROR_INFO = 'google.rpc.ErrorInfo'
const BAD_REQUEST = 'google.rpc.BadRequest'
const RETRY_INFO = 'google.rpc.RetryInfo'

/** Describes anything that was thrown by a call. */
export function failureOf(thrown: unknown): Failure {
  const error = ConnectError.from(thrown)
  const failure: Failure = {
    reason: reasonOfCode(error),
    message: error.rawMessage,
    metadata: {},
    fields: [],
    retryMs: 0,
    errorId: error.metadata.get('x-request-id') ?? '',
  }
  for (const detail of error.details) {
    if (!('type' in detail)) continue
    if (detail.type === ERROR_INFO) Object.assign(failure, readErrorInfo(detail.value))
    if (detail.type === BAD_REQUEST) failure.fields = readBadRequest(detail.value)
    if (detail.type === RETRY_INFO) failure.retryMs = readRetryInfo(detail.value)
  }
  failure.errorId = failure.metadata.error_id ?? failure.errorId
  return failure
}

/** The reason of an answer that carries no ErrorInfo: the edge's own, or none at all. */
function reasonOfCode(error: ConnectError): string {
  if (error.cause instanceof TypeError) return 'NETWORK'
  switch (error.code) {
    case Code.Unavailable:
      return 'DEPENDENCY_UNAVAILABLE'
    case Code.DeadlineExceeded:
      return 'DEADLINE_EXCEEDED'
    case Code.ResourceExhausted:
      return 'OVERLOADED'
    case Code.Unauthenticated:
      return 'TOKEN_INVALID'
    default:
      return 'UNKNOWN'
  }
}
