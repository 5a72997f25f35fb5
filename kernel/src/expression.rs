//! Compiled JMESPath expressions with bounds on size, depth and output. Never reads claims from anywhere but its argument.
