// Copies a text to the clipboard.

/** Rejects when the browser does not allow it. `navigator.clipboard` exists over https and on localhost only. */
export async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) return await navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  // The rest of the page cannot be selected while a dialog is open.
  const place = document.querySelector('dialog[open]') ?? document.body
  place.append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  if (!isCopied) throw new Error('The browser does not allow this page to copy. Select the text instead.')
}
