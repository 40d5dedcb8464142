// The slider: a threshold, or a strong share by the calibration.

import { el, fill, fixed, percent } from "./dom.js";
import { shares, thresholdFor } from "./listing.js";

export class Aim {
  // `strategy()` names what is routed by; `changed()` is called at every move.
  constructor(fieldset, strategy, changed) {
    this.strategy = strategy;
    const id = fieldset.id;
    const radio = (value, text) => el("label", { className: "choice" }, el("input", {
      type: "radio", name: id, value, checked: value === "threshold", onchange: () => { this.switched(); changed(); },
    }), text);
    this.radios = [radio("threshold", "Threshold"), radio("share", "Strong share")];
    this.slider = el("input", { type: "range", id: `${id}-slider`, min: "0", max: "1", step: "0.001", value: "0.5", oninput: () => { this.tell(); changed(); } });
    this.said = el("output", { for: `${id}-slider`, className: "figure" });
    this.hint = el("p", { className: "hint" });
    this.label = el("label", { for: `${id}-slider`, className: "unseen" });
    fill(fieldset, el("legend", { textContent: "Strong where the win rate reaches" }), el("div", { className: "line" }, ...this.radios),
      this.label, el("div", { className: "line slide" }, this.slider, this.said), this.hint);
    this.tell();
  }

  get byShare() { return this.radios[1].firstChild.checked; }

  get value() { return Number(this.slider.value); }

  // What the win rate is compared with; undefined for a share without a calibration.
  get threshold() { return this.byShare ? thresholdFor(this.strategy(), this.value) : this.value; }

  // As a model string ends.
  get suffix() { return this.byShare ? `${Number((100 * this.value).toFixed(1))}pct` : String(this.value); }

  set(value) { this.slider.value = String(value); this.tell(); }

  // The place stays where it was on the scale: 0.5 as a threshold means nothing as a share.
  switched() {
    this.slider.step = this.byShare ? "0.01" : "0.001";
    if (this.byShare) this.set(0.5);
    else this.set(fixed(thresholdFor(this.strategy(), this.value) ?? 0.5));
  }

  tell() {
    const calibrated = shares(this.strategy()).length > 0;
    const threshold = this.threshold;
    this.label.textContent = this.byShare ? "Strong share" : "Threshold";
    this.said.textContent = this.byShare ? percent(this.value) : fixed(this.value);
    this.slider.setAttribute("aria-valuetext", this.byShare ? `${percent(this.value)} to strong` : fixed(this.value));
    this.hint.textContent = !this.byShare ? (calibrated ? "" : "This has no calibration; only a threshold can be named.")
      : calibrated ? `About ${fixed(threshold)} by the calibration in force.` : "This has no calibration, so that a share can't be turned into a threshold.";
  }
}
