// Opens an address in Chromium, then every page that its pages lead to below the
// first one's directory. Prints as JSON which pages there were, with the text that
// they show, and everything that failed: requests, scripts, what a policy forbids,
// and links that lead elsewhere on the same server.
const chromium = require("@sparticuz/chromium");
const puppeteer = require("puppeteer-core");

const [, , link, root] = process.argv;
const most = 40; // pages; those that are another one in another order come last

// settle waits until nothing has been asked for a moment and no page says that it is
// loading: between two requests a busy machine may pause for longer.
async function settle(page) {
  do await page.waitForNetworkIdle({ idleTime: 100 });
  while (await page.$(".blockUI"));
}

async function walk(browser) {
  const page = await browser.newPage();
  const pages = [], failures = [];
  let at = link.replace(/\?.*/, "");
  const fail = (what) => failures.push(`${at}: ${what}`);
  page.on("requestfailed", (r) => fail(`${r.url()} failed: ${r.failure().errorText}`));
  page.on("response", (r) => r.status() >= 400 && fail(`${r.url()} is ${r.status()}`));
  page.on("pageerror", (e) => fail(e.stack || String(e)));
  page.on("console", (m) => m.type() === "error" && fail(m.text()));

  const known = new Set(), todo = [link];
  while (todo.length > 0 && pages.length < most) {
    const next = todo.shift();
    at = next.replace(/authToken=[^&]*/, "authToken=…");
    if (/\/api\/v1\/.*\/logs$/.test(next)) {
      await page.evaluate(async (log) => (await fetch(log)).arrayBuffer(), next); // Chromium saves it and shows nothing
      continue;
    }
    await page.goto(next, { waitUntil: "load" });
    await settle(page);
    at = page.url();
    known.add(at);
    // What is drawn when somebody wants to see it.
    for (const drawn of await page.$$(".expand-dag-viz, .expand-application-timeline, .expand-job-timeline, .expand-task-assignment-timeline")) {
      await drawn.evaluate((e) => e.click());
      await settle(page);
    }
    const { title, text, links, drawings } = await page.evaluate(() => ({
      title: document.title,
      text: document.body.innerText,
      links: [...document.querySelectorAll("a[href]")].map((a) => a.href.replace(/#.*/, "")),
      drawings: document.querySelectorAll("svg .node, .vis-item").length,
    }));
    pages.push({ address: at, title, text, drawings });
    for (const to of links) {
      if (to.startsWith(root)) {
        if (!known.has(to)) todo.push(to);
        known.add(to);
        todo.sort((a, b) => /sort/.test(a) - /sort/.test(b));
      } else if (new URL(to).origin === new URL(root).origin) {
        fail(`a link leads to ${to}`);
      }
    }
  }
  return { pages, failures };
}

(async () => {
  const browser = await puppeteer.launch({ args: chromium.args, executablePath: await chromium.executablePath(), headless: "shell" });
  try {
    console.log(JSON.stringify(await walk(browser)));
  } finally {
    await browser.close();
  }
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
