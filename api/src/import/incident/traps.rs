//! Peculiarities of the log, counted, so that nothing is put right in silence.

/// How often each was met.
#[derive(Debug, Default)]
pub struct Traps {
    /// Rows of state -100.
    pub undefined_states: usize,
    /// Rows whose state is missing.
    pub missing_states: usize,
    /// Pairs of number and `sys_mod_count` that occur more than once.
    pub repeated: usize,
    /// Incidents whose rows are not in order.
    pub unordered: usize,
    /// Steps, not the last of their incident, without an end.
    pub endless_steps: usize,
    /// Incidents that were in more than one known category.
    pub recategorised: usize,
    /// Incidents without `resolved_at`.
    pub unresolved: usize,
    /// Incidents without `resolved_at` and `closed_at`.
    pub unfinished: usize,
    /// Incidents that never had a group.
    pub teamless: usize,
    /// Incidents of which nobody is known to have worked on them.
    pub actorless: usize,
    /// Incidents whose last row does not say whether an article was used.
    pub adherence_unknown: usize,
}

impl Traps {
    /// A sentence for each that was met.
    pub fn notes(&self) -> Vec<String> {
        let all = [
            (self.undefined_states, "rows of state -100: no step is made of them"),
            (self.missing_states, "rows without a state: no step is made of them"),
            (self.repeated, "pairs of number and sys_mod_count that occur more than once: the later change is later"),
            (self.unordered, "incidents whose rows are out of order: sorted by sys_mod_count, then sys_updated_at"),
            (self.endless_steps, "steps that end, by the log, before they begin or at no time: their end is left open"),
            (self.recategorised, "incidents that changed category: the process is that of the last row"),
            (self.unresolved, "incidents without resolved_at: closed_at is their end"),
            (self.unfinished, "incidents without any end: taken as still open"),
            (self.teamless, "incidents that never had an assignment group: they have no team"),
            (self.actorless, "incidents with neither resolver nor assignee: they have no actor"),
            (self.adherence_unknown, "incidents whose last row has no value for knowledge: adherence is unknown"),
        ];
        all.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}
