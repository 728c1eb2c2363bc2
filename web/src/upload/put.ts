/** Sends one part of a file to the object store. */

export class PutError extends Error {
  /** `status` is 0 when the network failed. */
  constructor(readonly status: number) {
    super(`the part was answered with ${status}`)
  }

  /** The address is not taken any more: ask for fresh ones. */
  get isStale(): boolean {
    return this.status === 403 || this.status === 404
  }
}

/** PUTs `body` and returns its entity tag. XMLHttpRequest, because fetch does not tell how much was sent. */
export function put(
  url: string,
  body: Blob,
  sent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const abort = () => request.abort()
    signal.addEventListener('abort', abort, { once: true })
    request.upload.onprogress = ({ loaded }) => sent(loaded)
    request.onload = () => {
      const etag = request.getResponseHeader('ETag')
      if (request.status === 200 && etag) resolve(etag.replaceAll('"', ''))
      else reject(new PutError(request.status))
    }
    request.onerror = () => reject(new PutError(0))
    request.onabort = () => reject(new DOMException('The upload was stopped.', 'AbortError'))
    request.onloadend = () => signal.removeEventListener('abort', abort)
    request.open('PUT', url)
    request.send(body)
  })
}
