/** Who is signed in on this device, for everything that shows it. */

import { writable } from 'svelte/store'
import type { User } from '../gen/spotilike/user/v1/user_pb'

/** The user; null for a guest, undefined until it is known. Only the session sets it. */
export const user = writable<User | null | undefined>(undefined)
