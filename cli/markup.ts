// Text inside XML and HTML.

/** Text that is safe in XML and HTML, also inside quotes. */
export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")
    .replaceAll(/[^\P{Cc}\t\n]/gu, "�");
}
