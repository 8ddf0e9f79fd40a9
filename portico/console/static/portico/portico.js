// Portico works without this file. It only saves clicks.
const boxes = (form, name) => [...form.querySelectorAll(`input[type=checkbox][name="${name}"]:not(:disabled)`)];
const has = (names, name) => (names ?? "").split(" ").includes(name);

// A link with `data-over` opens that part of its page over this one, of which nothing is lost. The address is the page's
// own, so it can be copied and reloaded; Escape, Cancel and Back leave everything as it was.
const over = document.getElementById("over"), here = location.pathname, title = document.title;
let leaving = false;
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-over]");
  if (!link || !window.htmx || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  htmx.ajax("GET", link.getAttribute("href"), { target: over, select: link.dataset.over });
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target !== over) return;
  const path = detail.pathInfo.requestPath, heading = over.querySelector("h1");
  if (!heading) return location.assign(path);
  over.setAttribute("aria-labelledby", heading.id);
  history.pushState({ over: true }, "", path);
  over.showModal();
  over.querySelector("textarea, input:not([type=hidden])").focus();
});
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.target === over) location.assign(detail.pathInfo.requestPath);
});
over?.addEventListener("close", () => {
  over.replaceChildren();
  document.title = title;
  if ((leaving = history.state?.over)) history.back();
});
// Before htmx, which would load the page behind anew.
addEventListener("popstate", (event) => {
  if (leaving || over?.open) event.stopImmediatePropagation();
  if (over?.open) over.close();
  else if (!leaving && location.pathname !== here) location.reload();
  leaving = false;
}, true);

// "Select All" follows its boxes, and they follow it.
function follow() {
  for (const all of document.querySelectorAll("input[data-all]")) {
    const every = boxes(all.form, all.dataset.all), on = every.filter((box) => box.checked).length;
    all.checked = on > 0 && on === every.length;
    all.indeterminate = on > 0 && on < every.length;
  }
}

// A role ticks its permissions; a changed permission makes it Custom. What a permission implies comes and goes with it.
document.addEventListener("change", ({ target }) => {
  const { form, name, value, checked, dataset } = target;
  if (target.matches("form[role=search] :is(select, [type=date])")) form.requestSubmit();
  if (dataset.all) for (const box of boxes(form, dataset.all)) box.checked = checked;
  if (name === "role" && "grants" in dataset) for (const box of boxes(form, "grant")) box.checked = has(dataset.grants, box.value);
  if (name === "grant")
    for (const box of boxes(form, "grant")) {
      if (checked && has(dataset.implies, box.value)) box.checked = true;
      if (!checked && has(box.dataset.implies, value)) box.checked = false;
    }
  const custom = (name === "grant" || dataset.all === "grant") && form.querySelector('input[name="role"][value="Custom"]');
  if (custom) custom.checked = true;
  follow();
});
document.addEventListener("reset", () => setTimeout(follow));
document.addEventListener("htmx:afterSettle", follow);
follow();

// The second click of a double click asks nothing again. Who stops a slow page may press once more.
document.addEventListener("submit", (event) => {
  const { target, timeStamp } = event;
  if (target.method !== "post" || event.defaultPrevented) return;
  if (timeStamp - target.dataset.sent < 2000) event.preventDefault();
  else target.dataset.sent = timeStamp;
});

// Passkeys are offered where the browser knows them, and a device that says no is not the end.
if (window.PublicKeyCredential) for (const offer of document.querySelectorAll("[data-passkey]")) offer.hidden = false;
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  for (const said of document.querySelectorAll("[data-passkey-failed]")) said.hidden = false;
});

// What has waited for the password goes on at once.
document.querySelector("form[data-go-on]")?.requestSubmit();

// An address that is left empty is made from the name: show which.
document.addEventListener("input", ({ target }) => {
  const slug = target.name === "name" && target.form?.elements.slug;
  if (slug) slug.placeholder = target.value.normalize("NFKD").replace(/[^\w\s-]/g, "").trim().toLowerCase().replace(/[-_\s]+/g, "-").slice(0, 40);
});

// What is shown once can be copied by one click. Where the browser keeps its clipboard closed, it is selected at least.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    await navigator.clipboard?.writeText(field.value).then(() => (button.textContent = button.dataset.copied), () => {});
  });
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.parentElement.remove();
  if (event.target.closest("dialog [data-close]")) {
    event.preventDefault();
    over.close();
  }
});

// A review that was asked for before the newest change would take that change back. The next one is on its way.
let changes = 0;
for (const kind of ["input", "change"]) document.addEventListener(kind, () => (changes += 1), true);
document.addEventListener("htmx:beforeSend", ({ detail }) => (detail.xhr.changes = changes));
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id === "found" && detail.xhr.status === 422) Object.assign(detail, {shouldSwap: true, isError: false}); // it says what is wrong
  if (detail.target.id === "review" && detail.xhr.changes !== changes) detail.shouldSwap = false;
});
