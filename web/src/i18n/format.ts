/** Numbers, dates and lengths as people write them. */

import type { Date as CalendarDate } from '../gen/google/type/date_pb'
import { language, t } from './index.svelte'

/** `3:07`, or `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (!parts[0]) parts.shift()
  return parts.map((part, i) => (i ? String(part).padStart(2, '0') : String(part))).join(':')
}

/** `3 minutes 7 seconds`, for those who listen to the page. */
export function spokenClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  return `${t('time.minutes', { n: Math.floor(whole / 60) })} ${t('time.seconds', { n: whole % 60 })}`
}

/** `42 min`, or `1 h 5 min`. */
export function length(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60))
  const hours = Math.floor(minutes / 60)
  return hours ? t('time.hoursMinutes', { h: hours, m: minutes % 60 }) : t('time.shortMinutes', { m: minutes })
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toLocaleString(language(), { maximumFractionDigits: bytes < 1e7 ? 1 : 0 })
}

export function day(date: CalendarDate | undefined): string {
  if (!date) return ''
  const utc = Date.UTC(date.year, date.month - 1, date.day)
  return new Intl.DateTimeFormat(language(), { dateStyle: 'long', timeZone: 'UTC' }).format(utc)
}

export function moment(milliseconds: number): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: 'medium', timeStyle: 'short' }).format(milliseconds)
}

/** Whether a release date has not come yet, by UTC as the server counts. */
export function isFuture(date: CalendarDate | undefined): boolean {
  return date !== undefined && Date.UTC(date.year, date.month - 1, date.day) > Date.now()
}
