//! Parts shared by the bench programs.
