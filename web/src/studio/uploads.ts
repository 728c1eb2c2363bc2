/** The uploads of this visit; they go on while other pages are shown. */

import { type Readable, writable } from 'svelte/store'
import type { Upload } from '../gen/spotilike/catalog/v1/upload_pb'
import { UploadTask } from '../upload/task'

const all = writable<UploadTask[]>([])
export const tasks: Readable<UploadTask[]> = all

const listeners = new Set<(upload: Upload) => void>()
let running: UploadTask[] = []

/** Hears of every upload that is complete; returns how to stop hearing. */
export function onUploaded(listener: (upload: Upload) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Sends a master for a track; another upload for the same track is given up. `resumed` names one begun earlier. */
export function startUpload(file: File, track: string, album: string, resumed = ''): void {
  const before = running.filter((task) => task.track === track)
  for (const task of before) if (!task.isOver) void task.cancel()
  const task = new UploadTask(file, track, album, (upload) => listeners.forEach((listen) => listen(upload)), resumed)
  running = [...running.filter((each) => !before.includes(each)), task]
  all.set(running)
}

addEventListener('beforeunload', (event) => {
  // The browser asks whether to leave: parts that are on their way would be sent again.
  if (running.some((task) => !task.isOver)) event.preventDefault()
})
