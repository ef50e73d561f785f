/* The lookup's field takes what a scanner types from the first moment on: this runs before the rest of the page is there. */
{
  const field = document.getElementById("lookup-q");

  /* A scanner types wherever the focus is, but not into another field, a dialog or a control that is being used. */
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest?.("input, textarea, select, button, a, summary, #modal-content, [contenteditable]");
    if (busy || event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1 || event.key === " ") return;
    field.value = "";
    field.focus();
  });
  /* What is typed next replaces what was looked up. */
  field.addEventListener("focus", () => field.select(), { once: true });
}
