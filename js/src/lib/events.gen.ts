// Generated from the event catalog by js/generate_types.py; do not edit.

/** First use of the stream; the first event of every run. */
export interface SessionStartPayload {
  options: Record<string, unknown>;
  attempt?: number;
  is_retry?: boolean;
  is_fallback?: boolean;
  parent_id?: string | null;
}

/** Once per run, however it ends: what came of it. */
export interface SessionSummaryPayload {
  outcome: string;
  token_count: number;
  content_length: number;
  duration_ms: number;
  attempts: number;
  model_retries: number;
  network_retries: number;
  fallback_index: number;
  violations: number;
  drift_detected: boolean;
  resumed: boolean;
  usage: Usage;
  lost_tokens?: number;
  time_to_first_token_ms?: number | null;
  finish_reason?: string | null;
  error?: string | null;
}

/** Tokens a request cost, as the provider counted them; adds with `+` and reads like a mapping. */
export interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  total_tokens?: number;
  cached_input_tokens?: number;
  reasoning_tokens?: number;
  requests?: number;
}

/** Right after SESSION_SUMMARY; the last event unless COMPLETE follows. */
export interface SessionEndPayload {
  outcome: string;
  duration_ms: number;
}

/** The last event of a successful run. */
export interface CompletePayload {
  token_count: number;
  content_length: number;
  duration_ms: number;
  fallback_index: number;
  attempts: number;
  finish_reason?: string | null;
}

/** Once per failed attempt, after the decision, before any retry or fallback event. */
export interface ErrorPayload {
  error: string;
  error_type: string;
  category: string;
  failure_type: string;
  recovery_strategy: string;
  policy: Record<string, unknown>;
  attempt: number;
  token_count: number;
  content_length: number;
  error_code?: string | null;
  status?: number | null;
  retry_after_ms?: number | null;
}

/** A retry begins, inside fallbacks too; never for a first attempt. */
export interface AttemptStartPayload {
  attempt: number;
  fallback_index: number;
  is_fallback: boolean;
  is_retry?: boolean;
}

/** Text that was accepted falls away: only the first `kept_chars` characters still stand. */
export interface RestartPayload {
  kept_chars: number;
  kept_tokens: number;
  discarded_chars: number;
  reason: string;
  attempt: number;
  fallback_index: number;
  delivered: boolean;
  continues?: boolean;
}

/** Just before the factory is called; `model` is what is asked, where the factory says so. */
export interface StreamInitPayload {
  attempt: number;
  fallback_index: number;
  model?: string | null;
}

/** The source is in hand and its adapter bound. */
export interface StreamReadyPayload {
  attempt: number;
  fallback_index: number;
  connect_ms: number;
}

/** The source ended by itself or sent complete; before the completion checks. */
export interface StreamFinishedPayload {
  attempt: number;
  event_count: number;
  token_count: number;
  duration_ms: number;
  finish_reason?: string | null;
  raw_finish_reason?: string | null;
  model?: string | null;
  response_id?: string | null;
  time_to_first_token_ms?: number | null;
}

/** The source is in hand, the adapter not chosen. */
export interface AdapterWrapStartPayload {
  stream_type: string;
}

/** The adapter is chosen; `how` is hint, registered, module, chunk or passthrough. */
export interface AdapterDetectedPayload {
  adapter_id: string;
  how: string;
}

/** The decoder is ready. */
export interface AdapterWrapEndPayload {
  adapter_id: string;
  duration_ms: number;
}

/** One token, only with `token_events=True`. */
export interface TokenPayload {
  text: string;
  index: number;
}

/** A batch of tokens exactly as accepted, for the log and the views. */
export interface TokensPayload {
  start: number;
  texts: Array<string>;
  offsets_us: Array<number>;
  checkpoints?: Array<number>;
  notes?: Array<TokenNote>;
}

/** What came with one token beside its text: a flag such as a refusal, the source's own time. */
export interface TokenNote {
  index: number;
  data?: Record<string, unknown> | null;
  timestamp?: number | null;
}

/** An accepted event that is not a token, restart, error or complete. */
export interface StreamEventPayload {
  event: Event;
}

/** One thing a stream yields. */
export interface Event {
  type: EventType;
  text?: string | null;
  start?: number | null;
  data?: Record<string, unknown> | null;
  payload?: DataPayload | null;
  progress?: Progress | null;
  tool_call?: ToolCall | null;
  kept_chars?: number | null;
  kept_tokens?: number | null;
  reason?: string | null;
  error?: unknown;
  usage?: Usage | null;
  finish_reason?: string | null;
  timestamp?: number | null;
}

export type EventType = "complete" | "data" | "error" | "message" | "progress" | "restart" | "token" | "tool_call" | "tool_result";

/** Content other than text: an image, audio, a file, JSON. */
export interface DataPayload {
  content_type: ContentType;
  mime_type?: string | null;
  base64?: string | null;
  url?: string | null;
  data?: string | null;
  json?: unknown;
  metadata?: Record<string, unknown> | null;
}

export type ContentType = "audio" | "binary" | "file" | "image" | "json" | "text" | "video";

/** How far a long generation has come; `eta` in seconds. */
export interface Progress {
  percent?: number | null;
  step?: number | null;
  total_steps?: number | null;
  message?: string | null;
  eta?: number | null;
}

/** A call the model asks for, complete; `raw` is the argument text exactly as it came. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: Record<string, unknown>;
  raw?: string;
  index?: number;
  errors?: Array<ToolArgumentError>;
}

/** One thing wrong with a tool call's arguments: a code, where, and why. */
export interface ToolArgumentError {
  code: string;
  path: string;
  message: string;
}

/** Once per attempt that reported usage, at its end, also when it failed. */
export interface UsagePayload {
  attempt: number;
  input_tokens?: number;
  output_tokens?: number;
  total_tokens?: number;
  cached_input_tokens?: number;
  reasoning_tokens?: number;
  source?: string;
}

/** A configured timer is armed: connect, initial_token, inter_token or total. */
export interface TimeoutStartPayload {
  timeout_type: string;
  configured_ms: number;
}

/** The first activity of an attempt switches from initial to inter; once per attempt. */
export interface TimeoutResetPayload {
  configured_ms: number;
  token_index: number;
  timeout_type?: string;
}

/** A timer fired; `elapsed_ms` is measured. */
export interface TimeoutTriggeredPayload {
  timeout_type: string;
  configured_ms: number;
  elapsed_ms: number;
  token_index: number;
}

/** An attempt failed with category network. */
export interface NetworkErrorPayload {
  error: string;
  error_type: string;
  network_type: string;
  retryable: boolean;
  attempt: number;
  token_count: number;
  code?: string | null;
  status?: number | null;
}

/** Right after NETWORK_ERROR if the attempt had already produced an event. */
export interface ConnectionDroppedPayload {
  network_type: string;
  token_count: number;
  content_length: number;
}

/** First event of an attempt that follows one or more network failures. */
export interface NetworkRecoveryPayload {
  attempt: number;
  retries: number;
  outage_ms: number;
}

/** Right after NETWORK_RECOVERY if CONNECTION_DROPPED had been emitted. */
export interface ConnectionRestoredPayload {
  attempt: number;
  outage_ms: number;
}

/** An abort was noticed; `source` is user, exit or cancel. */
export interface AbortRequestedPayload {
  source: string;
  token_count: number;
  content_length: number;
  reason?: string | null;
}

/** The upstream of an aborted run is closed. */
export interface AbortCompletedPayload {
  token_count: number;
  content_length: number;
  elapsed_ms: number;
}

/** The arguments of a call are complete. */
export interface ToolRequestedPayload {
  tool_name: string;
  tool_call_id: string;
  arguments: Record<string, unknown>;
  index: number;
}

/** `call_tool` begins. */
export interface ToolStartPayload {
  tool_name: string;
  tool_call_id: string;
}

/** `call_tool` returned, or the source sent a tool_result event. */
export interface ToolResultPayload {
  tool_name: string;
  tool_call_id: string;
  result: unknown;
  duration_ms?: number | null;
}

/** Arguments are invalid, `call_tool` raised, or a tool_result carries an error. */
export interface ToolErrorPayload {
  tool_name: string;
  tool_call_id: string;
  error: string;
  error_type: string;
  errors?: Array<ToolArgumentError>;
  duration_ms?: number | null;
}

/** After TOOL_RESULT or an execution's TOOL_ERROR; `status` is success or error. */
export interface ToolCompletedPayload {
  tool_name: string;
  tool_call_id: string;
  status: string;
  duration_ms?: number | null;
}

/** A check begins; `phase` is streaming, checkpoint or completion. */
export interface GuardrailPhaseStartPayload {
  phase: string;
  rule_count: number;
  token_count: number;
  content_length: number;
}

/** Before each rule. */
export interface GuardrailRuleStartPayload {
  index: number;
  rule_id: string;
}

/** After each rule, with its new violations. */
export interface GuardrailRuleResultPayload {
  index: number;
  rule_id: string;
  passed: boolean;
  violations?: Array<GuardrailViolation>;
}

/** One finding of one rule; `position` is the offset in the text, in code points. */
export interface GuardrailViolation {
  rule: string;
  message: string;
  severity?: Severity;
  recoverable?: boolean;
  position?: number | null;
  timestamp?: number | null;
  context?: Record<string, unknown> | null;
  suggestion?: string | null;
}

export type Severity = "error" | "fatal" | "warning";

/** After a rule's result. */
export interface GuardrailRuleEndPayload {
  index: number;
  rule_id: string;
  passed: boolean;
  duration_ms: number;
}

/** A check ends. */
export interface GuardrailPhaseEndPayload {
  phase: string;
  passed: boolean;
  violations: number;
  should_retry: boolean;
  should_halt: boolean;
  duration_ms: number;
}

/** Before each `on_violation` call. */
export interface GuardrailCallbackStartPayload {
  rule_id: string;
  callback_id: string;
}

/** After each `on_violation` call, when its coroutine ends. */
export interface GuardrailCallbackEndPayload {
  rule_id: string;
  callback_id: string;
  duration_ms: number;
  error?: string | null;
}

/** A drift check begins. */
export interface DriftCheckStartPayload {
  token_count: number;
  content_length: number;
}

/** The outcome of a drift check. */
export interface DriftCheckResultPayload {
  detected: boolean;
  score: number;
  types: Array<string>;
  metrics: Record<string, unknown>;
  threshold: number;
  details?: string | null;
}

/** A drift check ends. */
export interface DriftCheckEndPayload {
  detected: boolean;
  duration_ms: number;
}

/** A check was due but had nothing to judge: no_new_text or too_short. */
export interface DriftCheckSkippedPayload {
  reason: string;
  token_count: number;
}

/** The text so far is known to be good. */
export interface CheckpointSavedPayload {
  checkpoint_length: number;
  token_count: number;
}

/** An attempt is going to resume; `mode` is provider, prompt or restart. */
export interface ContinuationStartPayload {
  checkpoint_length: number;
  token_count: number;
  attempt: number;
  fallback_index: number;
  mode?: string;
}

/** Right after CONTINUATION_START, with the text the attempt resumes from. */
export interface ResumeStartPayload {
  checkpoint: string;
  checkpoint_length: number;
  token_count: number;
  prompt?: string | null;
}

/** First text of a resumed attempt. */
export interface DeduplicationStartPayload {
  checkpoint_length: number;
  max_overlap: number;
}

/** The overlap is decided, by mismatch, boundary, restatement or end. */
export interface DeduplicationEndPayload {
  overlap_length: number;
  overlap_text: string;
  withheld_chars: number;
  decided_by: string;
  duration_ms: number;
  lost_tokens?: number;
}

/** First new text released, or the attempt ended without any. */
export interface ResumeEndPayload {
  success: boolean;
  checkpoint_length: number;
  overlap_length: number;
}

/** The resumed attempt ended. */
export interface ContinuationEndPayload {
  success: boolean;
  added_chars: number;
  content_length: number;
}

/** Before `should_retry`. */
export interface RetryFnStartPayload {
  attempt: number;
  category: string;
  default_should_retry?: boolean;
}

/** `should_retry` returned. */
export interface RetryFnResultPayload {
  attempt: number;
  category: string;
  user_result: boolean;
  final_should_retry: boolean;
  duration_ms: number;
}

/** `should_retry` raised, which is a veto. */
export interface RetryFnErrorPayload {
  attempt: number;
  error: string;
  duration_ms: number;
  final_should_retry?: boolean;
}

/** First retry of a stream of the chain. */
export interface RetryStartPayload {
  max_attempts: number;
  max_retries: number;
  attempt?: number;
}

/** Every retry, before its delay. */
export interface RetryAttemptPayload {
  attempt: number;
  max_attempts: number;
  reason: string;
  category: string;
  delay_ms: number;
  counts_toward_limit: boolean;
  network_type?: string | null;
  retry_after_ms?: number | null;
}

/** A stream with retries behind it failed for good; `attempt` is the retries made. */
export interface RetryGiveUpPayload {
  attempt: number;
  max_attempts: number;
  reason: string;
  last_error: string;
}

/** Closes what RETRY_START opened. */
export interface RetryEndPayload {
  attempt: number;
  success: boolean;
}

/** The chain moves on. */
export interface FallbackStartPayload {
  from_index: number;
  to_index: number;
  reason: string;
}

/** Right after FALLBACK_START; the index in the chain, 1 or more. */
export interface FallbackModelSelectedPayload {
  index: number;
  reason: string;
}

/** A fallback stream ended; never for the primary. */
export interface FallbackEndPayload {
  success: boolean;
  final_index: number;
}

/** After STREAM_FINISHED and USAGE. */
export interface FinalizationStartPayload {
  token_count: number;
  content_length: number;
}

/** All completion checks are done. */
export interface FinalizationEndPayload {
  passed: boolean;
  duration_ms: number;
}

/** Before an interceptor's hook; `phase` is before, after or error. */
export interface InterceptorStartPayload {
  name: string;
  phase: string;
}

/** After an interceptor's hook. */
export interface InterceptorEndPayload {
  name: string;
  phase: string;
  duration_ms: number;
  error?: string | null;
}

/** A handler or callback failed; not sent to the one that failed. */
export interface CallbackErrorPayload {
  callback: string;
  error: string;
  error_type: string;
  event_type?: string | null;
}

/** A store failed; the run goes on. */
export interface StoreErrorPayload {
  store: string;
  error: string;
  lost_records: number;
}

/** A complete text is going to be made data; the other events of this family come inside. */
export interface StructuredStartPayload {
  schema_name: string;
  attempt: number;
  strict: boolean;
  auto_correct: boolean;
}

/** Before the strict parse. */
export interface ParseStartPayload {
  content_length: number;
}

/** The text is not JSON; `position` is the offset of the fault, in code points. */
export interface ParseErrorPayload {
  error: string;
  position?: number | null;
}

/** After the strict parse. */
export interface ParseEndPayload {
  success: boolean;
  duration_ms: number;
}

/** Healing begins; only after a PARSE_ERROR. */
export interface AutoCorrectStartPayload {
  content_length: number;
}

/** Healing has ended; `corrections` are what it did, in order. */
export interface AutoCorrectEndPayload {
  success: boolean;
  corrections: Array<string>;
  correction_count: number;
  duration_ms: number;
}

/** Before the data is judged by the schema. */
export interface SchemaValidationStartPayload {
  schema_name: string;
  attempt: number;
}

/** The text is not the data asked for; each of `errors` has a path, a message and a type. */
export interface SchemaValidationErrorPayload {
  errors: Array<Record<string, unknown>>;
  attempt: number;
}

/** After the data was judged. */
export interface SchemaValidationEndPayload {
  valid: boolean;
  error_count: number;
  duration_ms: number;
}

/** Closes STRUCTURED_START; without success the attempt fails. */
export interface StructuredEndPayload {
  success: boolean;
  attempt: number;
  corrected: boolean;
  duration_ms: number;
}

/** Before the tasks are started; the runs in them have this event's stream id as `parent_id`. */
export interface ConsensusStartPayload {
  stream_count: number;
  strategy: string;
  threshold: number;
  minimum_agreement: number;
}

/** A task is started. */
export interface ConsensusStreamStartPayload {
  stream_index: number;
}

/** A task has ended: well, or with this error; an output that the schema refuses is one. */
export interface ConsensusStreamEndPayload {
  stream_index: number;
  success: boolean;
  duration_ms: number;
  error?: string | null;
}

/** An output is in hand, before its CONSENSUS_STREAM_END. */
export interface ConsensusOutputCollectedPayload {
  stream_index: number;
  length: number;
  has_value: boolean;
}

/** All tasks have ended and their outputs are compared; not if every task failed. */
export interface ConsensusAnalysisPayload {
  agreement_ratio: number;
  average_similarity: number;
  agreements: number;
  disagreements: number;
  duration_ms: number;
}

/** A value is chosen: `method` is the strategy, or how the conflict was resolved. */
export interface ConsensusResolutionPayload {
  method: string;
  confidence: number;
  selected_index?: number | null;
}

/** Last, in every ending: success, partial (a conflict was resolved), failed, cancelled. */
export interface ConsensusEndPayload {
  status: string;
  confidence: number;
  duration_ms: number;
}

/** The first event of a map; `total` is None while nobody knows how many rows there are. */
export interface MapStartPayload {
  model: string;
  store?: string | null;
  total?: number | null;
  concurrency?: number;
  options?: Record<string, unknown>;
  parent_id?: string | null;
}

/** A row is done: committed to the store, or skipped. */
export interface MapRowPayload {
  position: number;
  status: string;
  origin: string;
  attempts?: number;
  duration_ms?: number | null;
  usage?: Usage;
  cost?: number | null;
  error?: string | null;
}

/** How far it is, at most ten times a second; `usage` and `cost` are of this call alone. */
export interface MapProgressPayload {
  done: number;
  ok: number;
  failed: number;
  skipped: number;
  reused: number;
  running: number;
  retries: number;
  concurrency: number;
  elapsed_ms: number;
  total?: number | null;
  eta_ms?: number | null;
  usage?: Usage;
  cost?: number | null;
}

/** The provider answered 429: fewer rows at a time, and nothing for `pause_ms`. */
export interface MapLimitedPayload {
  concurrency: number;
  pause_ms?: number;
}

/** No further row is begun; `cause` is budget, account, abort or store. */
export interface MapStoppedPayload {
  cause: string;
  reason: string;
  usage?: Usage;
  cost?: number | null;
}

/** The last event of a map; `outcome` is completed, stopped, aborted, cancelled or failed. */
export interface MapEndPayload {
  outcome: string;
  ok: number;
  failed: number;
  skipped: number;
  reused: number;
  duration_ms: number;
  usage?: Usage;
  cost?: number | null;
  error?: string | null;
}

/** The payload of every event type. */
export interface Payloads {
  SESSION_START: SessionStartPayload;
  SESSION_SUMMARY: SessionSummaryPayload;
  SESSION_END: SessionEndPayload;
  COMPLETE: CompletePayload;
  ERROR: ErrorPayload;
  ATTEMPT_START: AttemptStartPayload;
  RESTART: RestartPayload;
  STREAM_INIT: StreamInitPayload;
  STREAM_READY: StreamReadyPayload;
  STREAM_FINISHED: StreamFinishedPayload;
  ADAPTER_WRAP_START: AdapterWrapStartPayload;
  ADAPTER_DETECTED: AdapterDetectedPayload;
  ADAPTER_WRAP_END: AdapterWrapEndPayload;
  TOKEN: TokenPayload;
  TOKENS: TokensPayload;
  STREAM_EVENT: StreamEventPayload;
  USAGE: UsagePayload;
  TIMEOUT_START: TimeoutStartPayload;
  TIMEOUT_RESET: TimeoutResetPayload;
  TIMEOUT_TRIGGERED: TimeoutTriggeredPayload;
  NETWORK_ERROR: NetworkErrorPayload;
  CONNECTION_DROPPED: ConnectionDroppedPayload;
  NETWORK_RECOVERY: NetworkRecoveryPayload;
  CONNECTION_RESTORED: ConnectionRestoredPayload;
  ABORT_REQUESTED: AbortRequestedPayload;
  ABORT_COMPLETED: AbortCompletedPayload;
  TOOL_REQUESTED: ToolRequestedPayload;
  TOOL_START: ToolStartPayload;
  TOOL_RESULT: ToolResultPayload;
  TOOL_ERROR: ToolErrorPayload;
  TOOL_COMPLETED: ToolCompletedPayload;
  GUARDRAIL_PHASE_START: GuardrailPhaseStartPayload;
  GUARDRAIL_RULE_START: GuardrailRuleStartPayload;
  GUARDRAIL_RULE_RESULT: GuardrailRuleResultPayload;
  GUARDRAIL_RULE_END: GuardrailRuleEndPayload;
  GUARDRAIL_PHASE_END: GuardrailPhaseEndPayload;
  GUARDRAIL_CALLBACK_START: GuardrailCallbackStartPayload;
  GUARDRAIL_CALLBACK_END: GuardrailCallbackEndPayload;
  DRIFT_CHECK_START: DriftCheckStartPayload;
  DRIFT_CHECK_RESULT: DriftCheckResultPayload;
  DRIFT_CHECK_END: DriftCheckEndPayload;
  DRIFT_CHECK_SKIPPED: DriftCheckSkippedPayload;
  CHECKPOINT_SAVED: CheckpointSavedPayload;
  CONTINUATION_START: ContinuationStartPayload;
  RESUME_START: ResumeStartPayload;
  DEDUPLICATION_START: DeduplicationStartPayload;
  DEDUPLICATION_END: DeduplicationEndPayload;
  RESUME_END: ResumeEndPayload;
  CONTINUATION_END: ContinuationEndPayload;
  RETRY_FN_START: RetryFnStartPayload;
  RETRY_FN_RESULT: RetryFnResultPayload;
  RETRY_FN_ERROR: RetryFnErrorPayload;
  RETRY_START: RetryStartPayload;
  RETRY_ATTEMPT: RetryAttemptPayload;
  RETRY_GIVE_UP: RetryGiveUpPayload;
  RETRY_END: RetryEndPayload;
  FALLBACK_START: FallbackStartPayload;
  FALLBACK_MODEL_SELECTED: FallbackModelSelectedPayload;
  FALLBACK_END: FallbackEndPayload;
  FINALIZATION_START: FinalizationStartPayload;
  FINALIZATION_END: FinalizationEndPayload;
  INTERCEPTOR_START: InterceptorStartPayload;
  INTERCEPTOR_END: InterceptorEndPayload;
  CALLBACK_ERROR: CallbackErrorPayload;
  STORE_ERROR: StoreErrorPayload;
  STRUCTURED_START: StructuredStartPayload;
  PARSE_START: ParseStartPayload;
  PARSE_ERROR: ParseErrorPayload;
  PARSE_END: ParseEndPayload;
  AUTO_CORRECT_START: AutoCorrectStartPayload;
  AUTO_CORRECT_END: AutoCorrectEndPayload;
  SCHEMA_VALIDATION_START: SchemaValidationStartPayload;
  SCHEMA_VALIDATION_ERROR: SchemaValidationErrorPayload;
  SCHEMA_VALIDATION_END: SchemaValidationEndPayload;
  STRUCTURED_END: StructuredEndPayload;
  CONSENSUS_START: ConsensusStartPayload;
  CONSENSUS_STREAM_START: ConsensusStreamStartPayload;
  CONSENSUS_STREAM_END: ConsensusStreamEndPayload;
  CONSENSUS_OUTPUT_COLLECTED: ConsensusOutputCollectedPayload;
  CONSENSUS_ANALYSIS: ConsensusAnalysisPayload;
  CONSENSUS_RESOLUTION: ConsensusResolutionPayload;
  CONSENSUS_END: ConsensusEndPayload;
  MAP_START: MapStartPayload;
  MAP_ROW: MapRowPayload;
  MAP_PROGRESS: MapProgressPayload;
  MAP_LIMITED: MapLimitedPayload;
  MAP_STOPPED: MapStoppedPayload;
  MAP_END: MapEndPayload;
}

export type EventName = keyof Payloads;
