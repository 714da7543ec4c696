// The method of a request in the names and attributes of spans (semantic conventions of OpenTelemetry 1.45 for HTTP).

import { isKnownMethod, OTHER_METHOD } from '../http/known-methods.ts'
import { safeText } from '../log/safe-fields.ts'
import type { Span } from './tracing.ts'

/** The longest text of an unregistered method, in characters. */
const MAX_METHOD = 36

/** Returns the first word of a span's name: the method, or HTTP for an unregistered method. */
export function spanMethod(method: string): string {
  return isKnownMethod(method) ? method : 'HTTP'
}

export function setMethod(span: Span, method: string): void {
  const isKnown = isKnownMethod(method)
  span.setAttribute('http.request.method', isKnown ? method : OTHER_METHOD)
  if (!isKnown) span.setAttribute('http.request.method_original', safeText(method, MAX_METHOD))
}
