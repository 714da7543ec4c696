// Numbers, times and sizes as text.

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
const exact = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const dateTime = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat('en', { timeStyle: 'medium', hour12: false })

export const count = (value: number): string => (value < 10_000 ? exact.format(value) : compact.format(value))

/** `noun`: its singular, with a plural in -s. */
export const counted = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? '' : 's'}`

export function rate(perSecond: number): string {
  if (perSecond === 0) return '0/s'
  return `${perSecond < 10 ? perSecond.toFixed(perSecond < 1 ? 2 : 1) : count(perSecond)}/s`
}

export const percent = (share: number): string =>
  share === 0 ? '0 %' : `${share < 0.01 ? (share * 100).toFixed(2) : (share * 100).toFixed(1)} %`

export function milliseconds(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–'
  if (ms === 0) return '0 ms'
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

export function bytes(value: number): string {
  let rest = value
  let unit = 0
  while (rest >= 1000 && unit < UNITS.length - 1) {
    rest /= 1000
    unit += 1
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit]}`
}

export const fullTime = (time: string | number): string => dateTime.format(new Date(time))
export const clockTime = (time: string | number): string => clock.format(new Date(time))

const STEPS = [
  [60, 's', 1],
  [3600, 'min', 60],
  [86_400, 'h', 3600],
  [Number.POSITIVE_INFINITY, 'd', 86_400],
] as const

/** A duration in its largest unit: `5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  for (const [below, unit, size] of STEPS) if (whole < below) return `${Math.floor(whole / size)} ${unit}`
  return ''
}

/** `now`: ms since 1970. */
export function ago(time: string | null, now = Date.now()): string {
  if (time === null) return 'never'
  const seconds = (now - Date.parse(time)) / 1000
  return seconds < 1 ? 'now' : `${duration(seconds)} ago`
}
