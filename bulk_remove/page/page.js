// Forms are sent with the page's token in a header; what the server answers is shown, or gone to. No other script runs.
"use strict";
const token = document.querySelector("meta[name=token]").content;
const gone = document.querySelector("meta[name=gone]").content;
const byId = (id) => document.getElementById(id);

function complain(problem, hint) {
  const box = byId("problem");
  box.hidden = false;
  box.children[0].textContent = problem;
  box.children[1].textContent = hint || "";
  box.scrollIntoView({ block: "nearest" });
}

async function post(url, body, headers = {}) {
  let reply;
  try {
    reply = await fetch(url, { method: "POST", body, headers: { "X-Token": token, ...headers } });
  } catch {
    return { problem: gone };
  }
  try {
    return await reply.json();
  } catch {
    return { problem: `${reply.status} ${reply.statusText}` };
  }
}

async function send(form, button) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") fields.append(name, value);
  if (button && button.name) fields.append(button.name, button.value);
  const file = form.dataset.upload && form.querySelector("input[type=file]").files[0];
  if (file) {
    const kept = await post(form.dataset.upload, file, { "X-Name": encodeURIComponent(file.name) });
    if (kept.problem) return kept;
  }
  return post(form.dataset.post, fields);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.post) return;
  event.preventDefault();
  const button = event.submitter || form.querySelector("button");
  const label = button.textContent;
  byId("problem").hidden = true;
  const focused = document.activeElement === button;
  button.disabled = true;
  if (button.dataset.busy) button.textContent = button.dataset.busy;
  const answer = await send(form, button);
  if (answer.go !== undefined) {
    if (answer.go) location.assign(answer.go);
    else location.reload();
    return;
  }
  button.disabled = false;
  if (focused) button.focus(); // a disabled button loses it
  if (button.dataset.busy) button.textContent = label;
  if (answer.problem) complain(answer.problem, answer.hint);
  const old = form.dataset.into !== "asked" && answer.problem ? "" : undefined; // no old answer below a new problem
  const html = answer.html === undefined ? old : answer.html;
  if (form.dataset.into && html !== undefined) byId(form.dataset.into).innerHTML = html;
  if (answer.said !== undefined) byId("said").textContent = answer.said;
});

async function load(place) {
  const turn = (place.turn || 0) + 1;
  place.turn = turn;
  const answer = await post(place.dataset.load, new URLSearchParams({ profile: byId(place.dataset.with).value }));
  if (place.turn !== turn) return; // another system was chosen meanwhile
  byId("problem").hidden = true;
  if (answer.problem) {
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = place.dataset.again;
    again.addEventListener("click", () => load(place));
    place.replaceChildren(again);
    complain(answer.problem, answer.hint);
  } else {
    place.innerHTML = answer.html;
  }
}

for (const place of document.querySelectorAll("[data-load]")) load(place);
for (const choice of document.querySelectorAll("[data-reload]")) {
  choice.addEventListener("change", () => load(byId(choice.dataset.reload)));
}

function showProgress(place, state) {
  for (const [name, text] of Object.entries(state.fields)) {
    const field = place.querySelector(`[data-field="${name}"]`);
    if (field && field.textContent !== text) field.textContent = text;
  }
  if (state.percent === undefined) return;
  byId("bar").value = state.percent;
  document.title = state.title;
  document.querySelector("h1").textContent = state.heading;
  if (byId("said").textContent === state.fields.sentence) byId("said").textContent = "";
  if (byId("spoken").textContent !== state.spoken) byId("spoken").textContent = state.spoken;
  const pause = byId("pause");
  pause.textContent = state.paused ? pause.dataset.on : pause.dataset.off;
  for (const button of document.querySelectorAll("[name=key]")) button.disabled = state.stopping;
}

async function watch(place) {
  const stages = place.dataset.stage.split(" ");
  for (let missed = 0; missed < 5; ) {
    try {
      const reply = await fetch(place.dataset.poll);
      if (!reply.ok) throw new Error(reply.statusText);
      const state = await reply.json();
      missed = 0;
      if (!stages.includes(state.stage)) {
        location.reload();
        return;
      }
      showProgress(place, state);
    } catch {
      missed += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
  complain(gone);
}

for (const place of document.querySelectorAll("[data-poll]")) watch(place);

const drop = byId("drop");
if (drop) {
  const chosen = byId("file");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) chosen.files = event.dataTransfer.files;
  });
}
