// The styles of all shadow roots: those of the dashboard, with sizes that follow the font of the page.

import base from '../styles/base.css?inline'
import parts from '../styles/parts.css?inline'
import element from './element.css?inline'

let sheet: CSSStyleSheet | undefined

/** Returns the style sheet that all elements share. A constructed sheet needs no permission of a content security policy. */
export function elementStyles(): CSSStyleSheet {
  if (sheet !== undefined) return sheet
  sheet = new CSSStyleSheet()
  sheet.replaceSync(base + parts + element)
  return sheet
}
