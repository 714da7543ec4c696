// The order of replicas on the page.

/** `replica-2` comes before `replica-10`. */
export const byName = (left: string, right: string): number =>
  left.localeCompare(right, 'en', { numeric: true })
