// Detects that the theme of the page or of the system has changed the colours of an element. A canvas keeps its colours, so a chart
// is then drawn again.

import { useEffect, useState } from 'preact/hooks'

/** Returns a number that increases with each change of the text colour of the element. */
export function useColors(box: { readonly current: HTMLElement | null }): number {
  const [version, setVersion] = useState(0)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    // The browser reports no change of a computed colour, except by the end of a transition.
    const probe = document.createElement('span')
    probe.style.color = 'var(--ink)'
    probe.style.transition = 'color 1ms'
    const changed = (): void => setVersion(before => before + 1)
    probe.addEventListener('transitionend', changed)
    element.append(probe)
    return () => probe.remove()
  }, [box])
  return version
}
