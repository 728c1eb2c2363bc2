/** The account of this device's user, read anew. */

import { users } from '../api/clients'
import { user } from './user'

/** Reads the account and shows it wherever it is shown. */
export async function reloadUser(): Promise<void> {
  user.set(await users.getUser({ name: 'users/me' }))
}
