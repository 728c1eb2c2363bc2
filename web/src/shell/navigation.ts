/** The address bar: links stay in the page, the back button works. */

import { type Readable, writable } from 'svelte/store'

const path = writable(location.pathname)

/** The path of the address, without the query. */
export const currentPath: Readable<string> = path

export function go(to: string, replace = false): void {
  const before = location.pathname
  history[replace ? 'replaceState' : 'pushState'](null, '', to)
  path.set(location.pathname)
  if (location.pathname !== before) scrollTo(0, 0)
}

/** Follows a click on a link of this page without loading it anew. */
function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (!link || link.origin !== location.origin || link.target || link.hasAttribute('download') || link.hash) return
  event.preventDefault()
  go(link.pathname + link.search)
}

addEventListener('popstate', () => path.set(location.pathname))
document.addEventListener('click', follow)

/** `artists/{artist}` stands at `/artists/{artist}`. */
export const pathOf = (name: string): string => `/${name}`

/** The last part of a resource name. */
export const idOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1)

/** Where to sign in, and where to go afterwards. */
export const signInPath = (then = location.pathname): string => `/sign-in?then=${encodeURIComponent(then)}`

/** Where the address says to go after signing in: a path of this page, nothing else. */
export function afterSignIn(): string {
  const then = new URLSearchParams(location.search).get('then') ?? '/'
  return /^\/(?![/\\])/.test(then) ? then : '/'
}
