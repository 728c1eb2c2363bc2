/** The links that mails carry: what proves something stands in the fragment, which no server and no log ever sees. */

/** Reads the token of a link from its fragment; empty when it carries none. */
export const tokenOf = (fragment: string): string => new URLSearchParams(fragment.replace(/^#/, '')).get('token') ?? ''

/** Takes the token out of the address bar, so that it stays in no history and on no screen. */
export function takeToken(): string {
  const token = tokenOf(location.hash)
  if (location.hash) history.replaceState(history.state, '', location.pathname + location.search)
  return token
}
