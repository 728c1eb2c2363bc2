/** What the player needs of the server and of its contracts; loaded at the first play. */

export { session } from '../api'
export { serverNow } from '../api/clock'
export { failureOf } from '../api/failure'
export { playbacks } from '../api/playbacks'
export { Reporter } from './reporter'
export { abilities, chooseSource } from './source'
