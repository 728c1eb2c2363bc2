/** The artists that the user manages, and what may be done for them. */

import { managers } from '../api/studio'
import type { ManagedArtist } from '../gen/spotilike/catalog/v1/manager_service_pb'
import { Manager_Permission as Permission } from '../gen/spotilike/catalog/v1/manager_pb'

export async function listMyArtists(): Promise<ManagedArtist[]> {
  return (await managers.listMyArtists({ pageSize: 200 })).managedArtists
}

/** Returns what may be done for an artist: nothing when the user does not manage it. */
export async function permissionsFor(artist: string): Promise<Permission[]> {
  const mine = await listMyArtists()
  return mine.find((each) => each.artist?.name === artist)?.permissions ?? []
}

export function may(permissions: readonly Permission[], wanted: Permission): boolean {
  return permissions.includes(Permission.ALL) || permissions.includes(wanted)
}
