/** The addresses of the page; what is not at the start is loaded when it is opened. */

import type { Component } from 'svelte'

export type PageParams = Record<string, string>
/** A page takes `params`, unless its address has none. */
export type Page = Component<any>

interface Route {
  pattern: RegExp
  load: () => Promise<{ default: Page }>
}

const ID = '([0-9a-f-]{36})'

const route = (path: string, load: Route['load']): Route => ({
  pattern: new RegExp(`^${path.replace(/:(\w+)/g, (_, name: string) => `(?<${name}>${ID})`)}/?$`),
  load,
})

const ROUTES: readonly Route[] = [
  route('', () => import('../listen/HomePage.svelte')),
  route('/artists/:id', () => import('../listen/ArtistPage.svelte')),
  route('/albums/:id', () => import('../listen/AlbumPage.svelte')),
  route('/history', () => import('../listen/HistoryPage.svelte')),
  route('/sign-in', () => import('../account/SignInPage.svelte')),
  route('/sign-up', () => import('../account/SignUpPage.svelte')),
  route('/forgot-password', () => import('../account/ForgotPasswordPage.svelte')),
  route('/reset-password', () => import('../account/ResetPasswordPage.svelte')),
  route('/verify-email', () => import('../account/VerifyEmailPage.svelte')),
  route('/account', () => import('../account/AccountPage.svelte')),
  route('/admin/users', () => import('../admin/UsersPage.svelte')),
  route('/admin/users/:id', () => import('../admin/UserPage.svelte')),
  route('/studio', () => import('../studio/StudioPage.svelte')),
  route('/studio/jobs', () => import('../studio/JobsPage.svelte')),
  route('/studio/artists/:id', () => import('../studio/StudioArtistPage.svelte')),
  route('/studio/albums/:id', () => import('../studio/StudioAlbumPage.svelte')),
]

const NOT_FOUND: Route = route('', () => import('./NotFoundPage.svelte'))

export function match(path: string): { route: Route; params: PageParams } {
  for (const each of ROUTES) {
    const found = each.pattern.exec(path === '/' ? '' : path)
    if (found) return { route: each, params: { ...found.groups } }
  }
  return { route: NOT_FOUND, params: {} }
}
