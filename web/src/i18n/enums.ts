/** The words for the values of the contracts' enums. */

import { Album_Type as AlbumType } from '../gen/spotilike/catalog/v1/album_pb'
import { Manager_Permission as Permission } from '../gen/spotilike/catalog/v1/manager_pb'
import { Track_Credit_Type as CreditType } from '../gen/spotilike/catalog/v1/track_pb'
import { Job_Stage as Stage, Job_State as JobState } from '../gen/spotilike/processing/v1/job_pb'
import { AccountEvent_Type as EventType } from '../gen/spotilike/user/v1/account_event_pb'
import { type MessageKey, t } from './index.svelte'

const ALBUM_TYPES: Record<AlbumType, MessageKey> = {
  [AlbumType.TYPE_UNSPECIFIED]: 'album.type.album',
  [AlbumType.SINGLE]: 'album.type.single',
  [AlbumType.EP]: 'album.type.ep',
  [AlbumType.ALBUM]: 'album.type.album',
}

const CREDIT_TYPES: Record<CreditType, MessageKey> = {
  [CreditType.TYPE_UNSPECIFIED]: 'credit.main',
  [CreditType.MAIN]: 'credit.main',
  [CreditType.FEATURED]: 'credit.featured',
  [CreditType.REMIXER]: 'credit.remixer',
}

const PERMISSIONS: Record<Permission, MessageKey> = {
  [Permission.PERMISSION_UNSPECIFIED]: 'permission.all',
  [Permission.ALL]: 'permission.all',
  [Permission.UPLOAD]: 'permission.upload',
  [Permission.EDIT_PROFILE]: 'permission.editProfile',
  [Permission.EDIT_RELEASES]: 'permission.editReleases',
  [Permission.VIEW_ANALYTICS]: 'permission.viewAnalytics',
  [Permission.MANAGE_TEAM]: 'permission.manageTeam',
}

const STAGES: Record<Stage, MessageKey> = {
  [Stage.STAGE_UNSPECIFIED]: 'job.waiting',
  [Stage.DOWNLOADING]: 'job.downloading',
  [Stage.PROBING]: 'job.probing',
  [Stage.ENCODING]: 'job.encoding',
  [Stage.PUBLISHING]: 'job.publishing',
}

const JOB_STATES: Record<JobState, MessageKey> = {
  [JobState.STATE_UNSPECIFIED]: 'job.pending',
  [JobState.PENDING]: 'job.pending',
  [JobState.PROCESSING]: 'job.title',
  [JobState.COMPLETED]: 'track.ready',
  [JobState.FAILED]: 'track.failed',
}

const EVENTS: Record<EventType, MessageKey> = {
  [EventType.TYPE_UNSPECIFIED]: 'event.other',
  [EventType.SIGNED_UP]: 'event.signedUp',
  [EventType.SIGNED_IN]: 'event.signedIn',
  [EventType.SIGN_IN_FAILED]: 'event.signInFailed',
  [EventType.SIGNED_OUT]: 'event.signedOut',
  [EventType.OTHERS_SIGNED_OUT]: 'event.othersSignedOut',
  [EventType.REFRESH_TOKEN_REUSED]: 'event.refreshTokenReused',
  [EventType.PASSWORD_CHANGED]: 'event.passwordChanged',
  [EventType.PASSWORD_RESET]: 'event.passwordReset',
  [EventType.EMAIL_VERIFIED]: 'event.emailVerified',
  [EventType.EMAIL_CHANGED]: 'event.emailChanged',
  [EventType.USERNAME_CHANGED]: 'event.usernameChanged',
  [EventType.ROLE_GRANTED]: 'event.roleGranted',
  [EventType.ROLE_REVOKED]: 'event.roleRevoked',
  [EventType.DISABLED]: 'event.disabled',
  [EventType.ENABLED]: 'event.enabled',
}

export const albumType = (type: AlbumType): string => t(ALBUM_TYPES[type])
export const creditType = (type: CreditType): string => t(CREDIT_TYPES[type])
export const permissionName = (permission: Permission): string => t(PERMISSIONS[permission])
export const jobState = (state: JobState): string => t(JOB_STATES[state])
export const stageName = (stage: Stage): string => t(STAGES[stage])
/** What happened to an account; a newer server may know of more than this page does. */
export const eventName = (type: EventType): string => t(EVENTS[type] ?? 'event.other')
