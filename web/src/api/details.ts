/** Error details of google.rpc that come with a failed call (AIP-193), read from their protobuf bytes. */

import { BinaryReader } from '@bufbuild/protobuf/wire'

export interface ErrorInfo {
  reason: string
  metadata: Record<string, string>
}

export interface FieldViolation {
  field: string
  description: string
}

/** Calls `take` for each field of a message and skips those that it does not take. */
function eachField(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (!take(field, reader)) reader.skip(wireType)
  }
}

/** Reads a message whose first two fields are strings. */
function twoStrings(bytes: Uint8Array): [string, string] {
  const strings: [string, string] = ['', '']
  eachField(bytes, (field, reader) => {
    if (field !== 1 && field !== 2) return false
    strings[field - 1] = reader.string()
    return true
  })
  return strings
}

/** Reads google.rpc.ErrorInfo: the stable reason and what it is about. */
export function readErrorInfo(bytes: Uint8Array): ErrorInfo {
  const info: ErrorInfo = { reason: '', metadata: {} }
  eachField(bytes, (field, reader) => {
    if (field === 1) info.reason = reader.string()
    else if (field === 3) {
      const [key, value] = twoStrings(reader.bytes())
      info.metadata[key] = value
    } else return false
    return true
  })
  return info
}

/** Reads google.rpc.BadRequest: the fields that broke a rule. */
export function readBadRequest(bytes: Uint8Array): FieldViolation[] {
  const violations: FieldViolation[] = []
  eachField(bytes, (field, reader) => {
    if (field !== 1) return false
    const [name, description] = twoStrings(reader.bytes())
    violations.push({ field: name, description })
    return true
  })
  return violations
}

/** Reads google.rpc.RetryInfo: in how many milliseconds the call may be tried again. */
export function readRetryInfo(bytes: Uint8Array): number {
  let milliseconds = 0
  eachField(bytes, (field, reader) => {
    if (field !== 1) return false
    milliseconds = readDuration(reader.bytes())
    return true
  })
  return milliseconds
}

/** Reads google.protobuf.Duration, in milliseconds. */
function readDuration(bytes: Uint8Array): number {
  let milliseconds = 0
  eachField(bytes, (field, reader) => {
    if (field === 1) milliseconds += Number(reader.int64()) * 1000
    else if (field === 2) milliseconds += reader.int32() / 1e6
    else return false
    return true
  })
  return milliseconds
}
