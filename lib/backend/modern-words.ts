// Ids and methods of the gateway's own on links to modern servers.

/** Ids of requests that are not a link's own calls, whose ids count up from 1. */
export const firstOwnId: number = 2 ** 40;

/** What the gateway itself asks of a link: to hear, or not to hear any more, of a task of the Tasks extension. */
export const watchTask = "mcpctl/tasks/watch";
export const unwatchTask = "mcpctl/tasks/unwatch";
