// Extras; every number and picture is there without them.
"use strict";

// A film strip becomes a viewer: one frame large, a slider through time.
for (const strip of document.querySelectorAll(".strip")) {
  const frames = [...strip.querySelectorAll("figure")].filter((f) => f.querySelector("img"));
  if (!frames.length) continue;
  const viewer = document.createElement("div");
  viewer.className = "viewer";
  viewer.innerHTML =
    '<div><img><label><output></output><input type="range" min="0"></label></div>';
  const [large, slider, told] = ["img", "input", "output"].map((s) => viewer.querySelector(s));
  const show = (i) => {
    const small = frames[i].querySelector("img");
    for (const name of ["src", "alt", "class", "width", "height"])
      large.setAttribute(name, small.getAttribute(name) || "");
    told.textContent = frames[i].querySelector("figcaption").textContent;
    slider.value = i;
    frames.forEach((frame, k) => frame.classList.toggle("shown", k === i));
  };
  slider.max = frames.length - 1;
  slider.setAttribute("aria-label", "frame");
  slider.addEventListener("input", () => show(Number(slider.value)));
  frames.forEach((frame, i) => frame.addEventListener("click", () => show(i)));
  slider.parentElement.hidden = frames.length < 2;
  strip.replaceWith(viewer);
  viewer.append(strip);
  strip.hidden = frames.length < 2;
  show(frames.length - 1);
}

// Under the pointer a chart tells step and values.
for (const svg of document.querySelectorAll(".chart svg")) {
  const lines = [...svg.querySelectorAll(".line")].map((group) => ({
    label: group.dataset.label,
    points: [...group.querySelectorAll("[data-values]")].flatMap((shape) => {
      const xs = shape.points
        ? [...shape.points].map((p) => p.x)
        : [Number(shape.getAttribute("cx"))];
      return shape.dataset.values.split(" ").map((v, i) => [xs[i], ...v.split(":").map(Number)]);
    }),
  })).filter((line) => line.points.length);
  if (!lines.length) continue;
  const cursor = document.createElementNS(svg.namespaceURI, "path");
  cursor.setAttribute("class", "cursor");
  const tip = document.createElement("div");
  tip.className = "tip";
  const hide = () => { cursor.remove(); tip.remove(); };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const near = lines.map(({ label, points }) => ({
      label,
      at: points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a)),
    }));
    const [at, step] = near[0].at;
    cursor.setAttribute("d", `M${at} 12V156`);
    svg.prepend(cursor);
    const values = near.map((n) => (near.length > 1 ? `${n.label} ` : "") + n.at[2]);
    tip.textContent = [`step ${step.toLocaleString("en")}`, ...values].join("\n");
    svg.parentElement.append(tip);
    const px = 14 + (at / svg.viewBox.baseVal.width) * box.width;
    tip.style.left = `${Math.min(px + 10, box.width + 14 - tip.offsetWidth)}px`;
    tip.style.top = `${svg.parentElement.offsetHeight - box.height}px`;
  });
}
