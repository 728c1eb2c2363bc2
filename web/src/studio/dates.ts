/** Release dates between the contract and the browser's date field, which speaks `2025-02-28`. */

import type { Date as CalendarDate } from '../gen/google/type/date_pb'

export function inputOf(date: CalendarDate | undefined): string {
  if (!date) return ''
  const { year, month, day } = date
  return [String(year).padStart(4, '0'), ...[month, day].map((part) => String(part).padStart(2, '0'))].join('-')
}

export function dateOf(input: string): { year: number; month: number; day: number } {
  const [year = 0, month = 0, day = 0] = input.split('-').map(Number)
  return { year, month, day }
}

/** Today by UTC, by which releases come out. */
export const today = (): string => new Date().toISOString().slice(0, 10)
