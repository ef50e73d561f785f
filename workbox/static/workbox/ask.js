/* Asks before something is done to many rows, or to what is not brought back: a dialog with what will happen in words.
   Escape and “Not now” leave everything as it is; the focus stands on the button that does it, so Enter goes on. */

/* Resolves with whether to go on. */
function ask(question, yes) {
  const dialog = document.createElement("dialog");
  const title = document.createElement("h2"), buttons = document.createElement("p"), form = document.createElement("form");
  dialog.className = "wb-dialog";
  dialog.setAttribute("aria-labelledby", "wb-ask-title");
  title.id = "wb-ask-title";
  title.textContent = question;
  form.method = "dialog";
  buttons.className = "wb-dialog-buttons";
  for (const [value, text, look] of [["no", "Not now", ""], ["yes", yes, "wb-button-primary"]]) {
    const button = document.createElement("button");
    button.type = "submit";
    button.value = value;
    button.textContent = text;
    button.className = `wb-button ${look}`.trim();
    button.autofocus = value === "yes";
    buttons.append(button);
  }
  form.append(title, buttons);
  dialog.append(form);
  document.body.append(dialog);
  const before = document.activeElement;
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus({ preventScroll: true });
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}

/* The form is sent when somebody said yes; `question()` gives the words, null when there is nothing to ask. */
function askBefore(form, question) {
  let isSure = false;
  form.addEventListener("submit", async (event) => {
    const words = isSure ? null : question(event);
    isSure = false;
    if (!words) return;
    event.preventDefault();
    if (!await ask(...words)) return;
    isSure = true;
    form.requestSubmit(event.submitter);
  });
}

/* “Ship the selected orders” of twelve: “Ship 12 selected orders?” */
function named(label, count) {
  const whole = label.includes("selected") ? label.replace(/(the )?selected/, `${count} selected`) : `${label}: ${count} selected`;
  return `${count === "1" ? whole.replace(/(selected \w+)s$/, "$1") : whole}?`;
}

const list = document.getElementById("changelist-form");
if (list) {
  askBefore(list, (event) => {
    const action = list.querySelector("select[name=action]");
    /* A print changes nothing; Django asks by itself before it deletes. */
    if (event.submitter?.name !== "index" || !action?.value || /^(print_|delete_selected)/.test(action.value)) return null;
    const isAll = list.querySelector("input[name=select_across]")?.value === "1";
    const everything = list.querySelector(".actions span.all")?.textContent.match(/\d[\d.,]*/)?.[0];
    const count = isAll && everything ? everything : String(list.querySelectorAll("input.action-select:checked").length);
    const label = action.selectedOptions[0].textContent.trim();
    return count === "0" ? null : [named(label, count), label.split(/\W/)[0]];
  });
}
for (const form of document.querySelectorAll("form[data-ask]")) {
  askBefore(form, () => [form.dataset.ask, form.dataset.askYes]);
}
