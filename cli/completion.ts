// `mcpctl completion`: the script with which a shell asks this program what may come next.

import { GatewayError, suggest } from "../lib/index.ts";
import type { Command } from "./command.ts";
import { print } from "./output.ts";

const scripts = {
  // Bash breaks words at colons and equal signs, too: what stands before the last of them is not typed again.
  bash: `_mcpctl() {
  local line=\${COMP_LINE:0:COMP_POINT} last words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  last=\${words[\${#words[@]} - 1]}
  local IFS=$'\\n' head=
  [[ $last == *[:=]* ]] && head=\${last%"\${last##*[:=]}"}
  COMPREPLY=($(mcpctl complete -- "\${words[@]:1}" 2>/dev/null))
  COMPREPLY=("\${COMPREPLY[@]#"$head"}")
}
complete -o default -F _mcpctl mcpctl
`,
  zsh: `#compdef mcpctl
_mcpctl() {
  local -a found
  found=("\${(@f)$(mcpctl complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -Q -a found; else _files; fi
}
compdef _mcpctl mcpctl
`,
  fish: `function __mcpctl_complete
  mcpctl complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c mcpctl -n 'count (__mcpctl_complete)' -f -a '(__mcpctl_complete)'
`,
  powershell: `Register-ArgumentCompleter -Native -CommandName mcpctl -ScriptBlock {
  param($word, $line, $at)
  $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  mcpctl complete -- @words 2>$null | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`,
} as const;

const shells = ["bash", "zsh", "fish", "powershell"] as const;

const command: Command = {
  meta: { name: "completion", description: "Print a script that completes words in a shell" },
  args: { shell: { type: "positional", description: shells.join(", "), required: true } },
  examples: ["source <(mcpctl completion bash)", "mcpctl completion fish > ~/.config/fish/completions/mcpctl.fish"],
  async run({ positionals: [written = ""] }) {
    const shell = shells.find((each) => each === written);
    if (shell === undefined) {
      const near = suggest(written, shells);
      const meant = near === undefined ? "" : `; did you mean ${near}?`;
      throw new GatewayError(
        "usage",
        `there is completion for ${shells.join(", ")}, not ${JSON.stringify(written)}${meant}`,
      );
    }
    await print(scripts[shell]);
    return 0;
  },
};

export default command;
