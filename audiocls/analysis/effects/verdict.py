"""A contrast's numbers, tested as paired differences are, and the word that they allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audiocls import stats
from audiocls.analysis.effects.contrast import Contrast
from audiocls.analysis.effects.measure import MAX_NAMED, BlockMatrix
from audiocls.analysis.effects.result import Effect, EffectVerdict, SimpleEffect
from audiocls.analysis.measured import numbers_of
from audiocls.formatting import join_names, plural
from audiocls.store.record import Study


@dataclass(frozen=True)
class Rule:
    """How the study decides, the test/train ratio of its corrected variance, its metric's step."""

    study: Study
    ratio: float
    step: float

    def judged(
        self, contrasts: Sequence[Contrast], found: BlockMatrix, refused: Mapping[str, str]
    ) -> tuple[Effect, ...]:
        """Every contrast as an effect, corrected over all of them.

        `refused`: the arms that may not be compared, and why.
        """
        values = [found.of(each.weights, found.complete(list(each.weights))) for each in contrasts]
        num_resamples = stats.resamples_for(self.study.alpha / max(1, len(contrasts)))
        effects = [
            self._tested(contrast, own, found, refused, num_resamples)
            for contrast, own in zip(contrasts, values, strict=True)
        ]
        adjusted = stats.holm([effect.p for effect in effects])
        return tuple(
            self._with_verdict(effect, own, p, len(effects))
            for effect, own, p in zip(effects, values, adjusted, strict=True)
        )

    def _tested(
        self,
        contrast: Contrast,
        values: Sequence[float],
        found: BlockMatrix,
        refused: Mapping[str, str],
        num_resamples: int,
    ) -> Effect:
        effect = Effect(
            name=contrast.name,
            against=contrast.against,
            kind=contrast.kind,
            num_blocks=len(values),
            reason=contrast.reason,
            aliases=contrast.aliases,
        )
        reason = self._objection(contrast, found, refused)
        if reason:
            return replace(effect, verdict="not_comparable", reason=reason)
        numbers = numbers_of(values, self.ratio, self.study.alpha, num_resamples)
        parts = self._parts(contrast, found) if len(values) > 1 else ()
        return replace(effect, parts=parts, **numbers)

    def _objection(self, contrast: Contrast, found: BlockMatrix, refused: Mapping[str, str]) -> str:
        odd = next((arm for arm in contrast.weights if arm in refused), None)
        if odd is not None:
            return f"{odd} is not comparable: {refused[odd]}"
        absent = found.missing(list(contrast.weights))
        if len(absent) <= self.study.max_missing:
            return ""
        allowed = f"({self.study.max_missing} allowed)"
        named = join_names(absent, MAX_NAMED, before_rest=", ")
        return f"{plural(len(absent), 'block')} missing {allowed}: {named}"

    def _parts(self, contrast: Contrast, found: BlockMatrix) -> tuple[SimpleEffect, ...]:
        """On the blocks of the whole, so that the second − the first is the interaction."""
        is_kept = found.complete(list(contrast.weights))
        tests = {
            name: stats.corrected_t(found.of(weights, is_kept), self.ratio, self.study.alpha)
            for name, weights in contrast.parts
        }
        return tuple(
            SimpleEffect(name, test.mean, test.ci_low, test.ci_high) for name, test in tests.items()
        )

    def _with_verdict(
        self, effect: Effect, values: Sequence[float], p: float, num_effects: int
    ) -> Effect:
        if effect.verdict == "not_comparable":
            return effect
        alpha = self.study.alpha
        if not stats.can_be_significant(effect.num_blocks, num_effects, alpha):
            needed = stats.pairs_needed(alpha, num_effects)
            few = f"{plural(effect.num_blocks, 'block')}; {needed} needed for α = {alpha:g}"
            reason = "; ".join(filter(None, [f"{few}, m = {num_effects}", effect.reason]))
            effect = replace(effect, verdict="too_few_pairs", reason=reason)
        elif effect.p_sign_flip is not None:
            effect = replace(effect, verdict=self._word(effect, values, p))
        return replace(effect, p_holm=None if effect.p_sign_flip is None else p)

    def _word(self, effect: Effect, values: Sequence[float], p: float) -> EffectVerdict:
        assert effect.delta is not None
        assert effect.ci_low is not None
        assert effect.ci_high is not None
        is_main = effect.kind == "main"
        if p <= self.study.alpha and not effect.ci_low <= 0 <= effect.ci_high:
            is_gain = (effect.delta > 0) == (self.study.goal == "maximize")
            return ("better" if is_gain else "worse") if is_main else "interacts"
        if stats.tost_p(values, self.ratio, self.study.margin, self.step) <= self.study.alpha:
            return "equivalent" if is_main else "additive"
        return "no_evidence" if is_main else "undecided"
