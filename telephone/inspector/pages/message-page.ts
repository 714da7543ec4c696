// A page with one sentence: an error, or the end of a replay.

import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'
import { pageFrame } from './page-frame.ts'

export const messagePage = (title: string, text: string): string =>
  pageFrame({
    title,
    main: `<h1>${escapeHtml(title)}</h1>\n<p>${escapeHtml(text)}</p>\n<p><a href="/">All exchanges</a></p>`,
  })
