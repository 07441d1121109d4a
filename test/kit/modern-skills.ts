// The skills of the modern fixture server, which the SDK's extension serves from memory.
import { memorySkillFiles, SkillCatalog } from "@modelcontextprotocol/server/ext/skills";
import type { SkillsExtension } from "@modelcontextprotocol/server/ext/skills";

const files = {
  "pdf-forms/SKILL.md": "---\nname: pdf-forms\ndescription: Fill in PDF forms\n---\n# PDF forms\n\nRead the guide.\n",
  "pdf-forms/references/GUIDE.md": "# Guide\n\nAsk for every field.\n",
  "git-notes/examples/NOTES.md": "# 1.0.0\n\nThe first release.\n",
  "git-notes/SKILL.md": "---\nname: git-notes\ndescription: Write release notes from commits\n---\n# Release notes\n",
};

/** The extension with its skills, ready to be attached to any number of servers. */
export function loadSkills(): Promise<SkillsExtension> {
  return SkillCatalog.load(memorySkillFiles(files), { cacheHint: { ttlMs: 60_000, cacheScope: "public" } });
}
