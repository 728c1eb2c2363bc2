/** The places that the navigation offers. */

import type { MessageKey } from '../i18n/index.svelte'
import type { IconName } from '../ui/Icon.svelte'

interface Section {
  path: string
  label: MessageKey
  icon: IconName
}

export const SECTIONS: readonly Section[] = [
  { path: '/', label: 'nav.home', icon: 'home' },
  { path: '/history', label: 'nav.history', icon: 'history' },
  { path: '/studio', label: 'nav.studio', icon: 'studio' },
]

/** For administrators. */
export const ADMINISTRATION: Section = { path: '/admin/users', label: 'nav.admin', icon: 'shield' }

export const ACCOUNT: Section = { path: '/account', label: 'nav.account', icon: 'person' }

const ABOUT_THE_ADDRESS = ['/sign-in', '/sign-up', '/forgot-password', '/reset-password', '/verify-email', '/account']

/** Whether the page at `path` may remind of an address that is not confirmed: some are about that themselves. */
export const mayRemind = (path: string): boolean => !ABOUT_THE_ADDRESS.includes(path)

/** Whether the page at `path` belongs to a section; albums and artists belong to the start. */
export function isInside(section: string, path: string): boolean {
  if (section === '/') return path === '/' || path.startsWith('/albums/') || path.startsWith('/artists/')
  return path === section || path.startsWith(`${section}/`)
}
