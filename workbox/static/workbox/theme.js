/* Before anything is painted: the theme that was chosen in the admin (Unfold keeps it in localStorage), else the system's. */
(() => {
  "use strict";
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("_x_adminTheme") || "null");
  } catch {
    chosen = null;
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
