/** Uploads that are not finished, remembered so that they go on after a reload. */

export interface PendingUpload {
  /** `uploads/{upload}`. */
  upload: string
  track: string
  album: string
  filename: string
  size: number
  fingerprint: string
}

const KEY = 'spotilike.uploads'

export function pendingUploads(): PendingUpload[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as PendingUpload[]
  } catch {
    return []
  }
}

export function remember(pending: PendingUpload): void {
  write([...pendingUploads().filter(({ upload }) => upload !== pending.upload), pending])
}

export function forget(upload: string): void {
  write(pendingUploads().filter((each) => each.upload !== upload))
}

function write(pending: PendingUpload[]): void {
  localStorage.setItem(KEY, JSON.stringify(pending))
}
