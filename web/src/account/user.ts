/** Who is signed in on this device, for everything that shows it. */

import { writable } from 'svelte/store'
import type { User } from '../gen/spotilike/user/v1/user_pb'

/** The user; null for a guest, undefined until it is known. Set by the session, and by what changes the account. */
export const user = writable<User | null | undefined>(undefined)

const ADMIN = 'ROLE_ADMIN'

export const isAdmin = (who: User | null | undefined): boolean => who?.roles.includes(ADMIN) ?? false
