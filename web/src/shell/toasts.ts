/** Short messages at the edge of the page. */

import { type Readable, writable } from 'svelte/store'

export interface Toast {
  id: number
  text: string
  isError: boolean
  /** Finds the failure in the logs. */
  errorId: string
}

const SHOWN_MS = 5_000
const ERROR_SHOWN_MS = 12_000

const shown = writable<Toast[]>([])
export const toasts: Readable<Toast[]> = shown

let lastId = 0

function show(text: string, isError: boolean, errorId = ''): void {
  lastId += 1
  const id = lastId
  // The same words once more would only push others away.
  shown.update((all) => [...all.filter((each) => each.text !== text), { id, text, isError, errorId }].slice(-3))
  setTimeout(() => dismiss(id), isError ? ERROR_SHOWN_MS : SHOWN_MS)
}

export function dismiss(id: number): void {
  shown.update((all) => all.filter((each) => each.id !== id))
}

export const say = (text: string) => show(text, false)
export const complain = (text: string, errorId = '') => show(text, true, errorId)
