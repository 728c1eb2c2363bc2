/** How the fields of a form learn what the server said about them. */

import { getContext, setContext } from 'svelte'

export interface FormComplaints {
  /** What is wrong with the field of this name, which is the last part of its path in the request; empty if nothing. */
  about: (name: string) => string
  /** Says that a field of this name is there to show it; returns how to take that back. */
  showAt: (name: string) => () => void
}

const KEY = Symbol('form')

export const offerComplaints = (complaints: FormComplaints): FormComplaints => setContext(KEY, complaints)

/** The complaints of the form around a field; undefined for a field that stands alone. */
export const formComplaints = (): FormComplaints | undefined => getContext(KEY)
