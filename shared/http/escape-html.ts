// Escapes foreign text (paths, ids, header values) for the HTML pages of both programs.

/** Returns the text escaped for a place between tags or inside a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
